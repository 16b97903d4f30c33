-- name: notification.insert
INSERT INTO notifications (number, id, role, owner_id, once, type, title, content, campaign_id, subject, created_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (role, owner_id, once) DO NOTHING

-- name: notification.list
SELECT number, id, type, title, content, campaign_id, subject, created_at_ms, read_at_ms FROM notifications
WHERE role = $role AND owner_id = $owner_id
  AND read_at_ms = 0 AND $unread = 1 -- when given
  AND type = $type -- when given
  AND campaign_id = $campaign_id -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit

-- name: notification.unread
SELECT COUNT(*) FROM (SELECT 1 FROM notifications WHERE role = $1 AND owner_id = $2 AND read_at_ms = 0 LIMIT $3) AS unread

-- name: notification.by_id
SELECT number, id, type, title, content, campaign_id, subject, created_at_ms, read_at_ms FROM notifications WHERE id = $1 AND role = $2 AND owner_id = $3

-- name: notification.read
UPDATE notifications SET read_at_ms = $1 WHERE number = $2 AND read_at_ms = 0

-- name: notification.read_all
UPDATE notifications SET read_at_ms = $1 WHERE role = $2 AND owner_id = $3 AND read_at_ms = 0

-- name: notification.forget
DELETE FROM notifications WHERE number IN (SELECT number FROM notifications WHERE created_at_ms < $1 LIMIT $2)

-- name: notification.keep_starts
UPDATE counters SET value = $1 WHERE name = 'starts_told'

-- name: mail.insert
INSERT INTO mails (number, id, once, to_name, to_address, subject, plain, html, state, next_at_ms, created_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $9)
ON CONFLICT (once) DO NOTHING

-- name: mail.claim
UPDATE mails SET next_at_ms = $1, lease = $2
WHERE number IN (SELECT number FROM mails WHERE state = 'waiting' AND next_at_ms <= $3 ORDER BY next_at_ms, number LIMIT $4)
  AND state = 'waiting' AND next_at_ms <= $5
RETURNING number, id, to_name, to_address, subject, plain, html, attempts, created_at_ms

-- name: mail.retry
UPDATE mails SET attempts = attempts + $1, next_at_ms = $2, error = $3, lease = '' WHERE number = $4 AND lease = $5

-- name: mail.end
UPDATE mails SET state = $1, attempts = attempts + 1, ended_at_ms = $2, error = $3, lease = '', plain = '', html = '' WHERE number = $4 AND lease = $5

-- name: mail.waiting
SELECT COUNT(*) FROM mails WHERE state = 'waiting'

-- name: mail.forget
DELETE FROM mails WHERE number IN (SELECT number FROM mails WHERE created_at_ms < $1 AND state <> 'waiting' LIMIT $2)
