-- name: idempotency.find
SELECT request_hash, status, body FROM idempotency WHERE owner = $1 AND key = $2 AND at_ms > $3

-- name: idempotency.forget
DELETE FROM idempotency WHERE at_ms <= $1

-- name: idempotency.insert
INSERT INTO idempotency (owner, key, request_hash, status, body, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
