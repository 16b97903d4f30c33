-- name: number.take
UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value

-- name: number.last
SELECT value FROM counters WHERE name = $1
