-- name: outbox.cursor
SELECT through FROM outbox_readers WHERE name = $1

-- name: outbox.read
SELECT number, kind, payload FROM outbox WHERE number > $1 ORDER BY number LIMIT $2

-- name: outbox.pass
UPDATE outbox_readers SET through = $1 WHERE name = $2 AND through = $3

-- name: outbox.forget
DELETE FROM outbox WHERE number <= (SELECT MIN(through) FROM outbox_readers)

-- name: outbox.behind
SELECT r.name, (SELECT COUNT(*) FROM outbox o WHERE o.number > r.through) FROM outbox_readers r ORDER BY r.name
