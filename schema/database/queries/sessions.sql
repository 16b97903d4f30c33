-- name: session.insert
INSERT INTO sessions (token_hash, key_id, created_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4)

-- name: session.by_token
SELECT k.id, k.role, k.advertiser_id, k.creator_id, k.expires_at_ms, k.archived_at_ms, s.created_at_ms, s.expires_at_ms
FROM sessions s JOIN keys k ON k.id = s.key_id WHERE s.token_hash = $1

-- name: session.renew
UPDATE sessions SET expires_at_ms = $2 WHERE token_hash = $1 AND expires_at_ms < $2

-- name: session.end
DELETE FROM sessions WHERE token_hash = $1

-- name: session.end_expired
DELETE FROM sessions WHERE expires_at_ms <= $1

-- name: session.end_oldest
-- All of a key's but its newest.
DELETE FROM sessions WHERE key_id = $1 AND token_hash NOT IN
  (SELECT token_hash FROM sessions WHERE key_id = $1 ORDER BY created_at_ms DESC, token_hash LIMIT $2)
