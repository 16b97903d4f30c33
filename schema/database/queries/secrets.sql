-- name: secret.insert
INSERT INTO secrets (id, advertiser_id, kind, fields, kept, created_at_ms, updated_at_ms, changed)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)

-- name: secret.archive
UPDATE secrets SET archived_at_ms = $2, updated_at_ms = $2, changed = $3 WHERE id = $1

-- name: secret.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, advertiser_id, fields FROM secrets WHERE id = $1

-- name: secret.live_count
SELECT COUNT(*) FROM secrets WHERE advertiser_id = $1 AND kind = $2 AND archived_at_ms = 0

-- name: secret.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, advertiser_id, fields
FROM secrets
WHERE archived_at_ms = 0
  AND advertiser_id = $advertiser_id
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit
