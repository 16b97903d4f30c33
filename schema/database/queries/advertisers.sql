-- name: advertiser.insert
INSERT INTO advertisers (id, fields, public_key, search, created_at_ms, updated_at_ms, changed)
VALUES ($1, $2, $3, $4, $5, $5, $6)

-- name: advertiser.update
UPDATE advertisers SET fields = $2, search = $3, updated_at_ms = $4, changed = $5 WHERE id = $1

-- name: advertiser.archive
UPDATE advertisers SET archived_at_ms = $2, updated_at_ms = $2, changed = $3 WHERE id = $1

-- name: advertiser.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, public_key FROM advertisers WHERE id = $1

-- name: advertiser.first_at
SELECT COALESCE(MIN(created_at_ms), 0) FROM advertisers

-- name: advertiser.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, public_key
FROM advertisers
WHERE archived_at_ms = 0
  AND id = $scope_advertiser -- when given
  AND id < $before -- when given
  AND search LIKE $q ESCAPE '\' -- when given
ORDER BY id DESC
LIMIT $limit
