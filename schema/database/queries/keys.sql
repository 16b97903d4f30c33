-- name: key.insert
INSERT INTO keys (id, role, advertiser_id, creator_id, fields, secret_hash, expires_at_ms, created_at_ms, updated_at_ms, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
ON CONFLICT DO NOTHING

-- name: key.archive
UPDATE keys SET archived_at_ms = $2, updated_at_ms = $2, changed = $3 WHERE id = $1

-- name: key.update
UPDATE keys SET fields = $2, expires_at_ms = $3, updated_at_ms = $4, changed = $5 WHERE id = $1

-- name: key.used
UPDATE keys SET last_used_at_ms = $2 WHERE id = $1 AND last_used_at_ms < $2

-- name: key.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, last_used_at_ms FROM keys WHERE id = $1

-- name: key.by_secret
SELECT id, role, advertiser_id, creator_id, secret_hash, expires_at_ms, archived_at_ms, last_used_at_ms FROM keys WHERE secret_hash = $1

-- name: key.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, last_used_at_ms
FROM keys
WHERE archived_at_ms = 0
  AND role = $role -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND creator_id = $creator_id -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit
