-- The feed of credentials, which trackers that take conversions follow.

-- name: credential.keys
SELECT changed, id, role, advertiser_id, secret_hash, expires_at_ms, archived_at_ms
FROM keys WHERE changed > $1 ORDER BY changed LIMIT $2

-- name: credential.secrets
SELECT changed, id, advertiser_id, kind, kept, archived_at_ms FROM secrets WHERE changed > $1 ORDER BY changed LIMIT $2
