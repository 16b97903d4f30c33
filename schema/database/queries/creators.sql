-- name: creator.insert
INSERT INTO creators (id, fields, country, labels, search, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $6)

-- name: creator.update
UPDATE creators SET fields = $2, country = $3, labels = $4, search = $5, updated_at_ms = $6 WHERE id = $1

-- name: creator.archive
UPDATE creators SET archived_at_ms = $2, updated_at_ms = $2 WHERE id = $1

-- name: creator.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields FROM creators WHERE id = $1

-- name: creator.works_for
SELECT COUNT(*) FROM participations p JOIN campaigns c ON c.id = p.campaign_id
WHERE p.creator_id = $1 AND c.advertiser_id = $2

-- name: creator.list
SELECT r.id, r.created_at_ms, r.updated_at_ms, r.archived_at_ms, r.fields
FROM creators r
WHERE r.archived_at_ms = 0
  AND r.id = $scope_creator -- when given
  AND r.id IN (SELECT p.creator_id FROM participations p JOIN campaigns c ON c.id = p.campaign_id WHERE c.advertiser_id = $scope_advertiser) -- when given
  AND r.id IN (SELECT p.creator_id FROM participations p WHERE p.campaign_id = $campaign_id) -- when given
  AND r.country = $country -- when given
  AND r.labels LIKE $label ESCAPE '\' -- when given
  AND r.id < $before -- when given
  AND r.search LIKE $q ESCAPE '\' -- when given
ORDER BY r.id DESC
LIMIT $limit
