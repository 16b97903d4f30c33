-- name: webhook.insert
INSERT INTO webhooks (id, advertiser_id, fields, enabled, secret, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $6)

-- name: webhook.update
UPDATE webhooks SET fields = $2, enabled = $3, failures = $4, not_before_ms = $5, disabled_at_ms = $6, disabled_reason = $7, updated_at_ms = $8
WHERE id = $1

-- name: webhook.set_secret
UPDATE webhooks SET secret = $2, old_secret = $3, old_until_ms = $4, updated_at_ms = $5 WHERE id = $1

-- name: webhook.archive
UPDATE webhooks SET archived_at_ms = $2, updated_at_ms = $2, enabled = 0 WHERE id = $1

-- name: webhook.count
SELECT COUNT(*) FROM webhooks WHERE advertiser_id = $1 AND archived_at_ms = 0

-- name: webhook.by_id
SELECT id, advertiser_id, fields, enabled, secret, old_secret, old_until_ms, failures, not_before_ms, disabled_at_ms, disabled_reason,
  last_success_ms, created_at_ms, updated_at_ms, archived_at_ms
FROM webhooks WHERE id = $1

-- name: webhook.of_advertiser
SELECT id, advertiser_id, fields, enabled, secret, old_secret, old_until_ms, failures, not_before_ms, disabled_at_ms, disabled_reason,
  last_success_ms, created_at_ms, updated_at_ms, archived_at_ms
FROM webhooks WHERE advertiser_id = $1 AND archived_at_ms = 0 ORDER BY id

-- name: webhook.list
SELECT id, advertiser_id, fields, enabled, secret, old_secret, old_until_ms, failures, not_before_ms, disabled_at_ms, disabled_reason,
  last_success_ms, created_at_ms, updated_at_ms, archived_at_ms
FROM webhooks
WHERE archived_at_ms = 0
  AND advertiser_id = $advertiser_id -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit

-- name: webhook.due
SELECT w.id, w.failures FROM webhooks w
WHERE w.enabled = 1 AND w.archived_at_ms = 0 AND w.not_before_ms <= $1
  AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.next_at_ms <= $2)

-- name: webhook.succeeded
UPDATE webhooks SET failures = 0, not_before_ms = 0, last_success_ms = $2 WHERE id = $1

-- name: webhook.failed
UPDATE webhooks SET failures = failures + 1 WHERE id = $1 RETURNING failures, enabled

-- name: webhook.pause
UPDATE webhooks SET not_before_ms = $2 WHERE id = $1

-- name: webhook.disable
UPDATE webhooks SET enabled = 0, disabled_at_ms = $2, disabled_reason = $3, updated_at_ms = $2 WHERE id = $1

-- name: webhook.insert_delivery
INSERT INTO webhook_deliveries (number, id, webhook_id, event_id, event_type, body, state, replay_of, next_at_ms, lease, created_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9, $10)

-- name: webhook.claim
UPDATE webhook_deliveries SET next_at_ms = $1, lease = $2
WHERE number IN (SELECT number FROM webhook_deliveries WHERE webhook_id = $3 AND state = 'waiting' AND next_at_ms <= $4 ORDER BY next_at_ms, number LIMIT $5)
  AND state = 'waiting' AND next_at_ms <= $6
RETURNING number, webhook_id, event_id, event_type, body, attempts, created_at_ms

-- name: webhook.finish
UPDATE webhook_deliveries SET state = $1, attempts = attempts + 1, next_at_ms = $2, lease = '', last_at_ms = $3, status_code = $4, duration_ms = $5,
  error = $6, answer = $7, ended_at_ms = $8
WHERE number = $9 AND lease = $10

-- name: webhook.release
UPDATE webhook_deliveries SET next_at_ms = $1, lease = '' WHERE number = $2 AND lease = $3

-- name: webhook.give_up
UPDATE webhook_deliveries SET state = 'failed', error = $1, ended_at_ms = $2 WHERE state = 'waiting' AND created_at_ms < $3 AND next_at_ms <= $4

-- name: webhook.drop
UPDATE webhook_deliveries SET state = 'failed', error = 'the webhook was deleted', ended_at_ms = $2 WHERE webhook_id = $1 AND state = 'waiting'

-- name: webhook.forget
DELETE FROM webhook_deliveries WHERE number IN (SELECT number FROM webhook_deliveries WHERE created_at_ms < $1 AND state <> 'waiting' LIMIT $2)

-- name: webhook.waiting
SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'waiting'

-- name: webhook.delivery
SELECT number, id, webhook_id, event_id, event_type, body, state, replay_of, attempts, next_at_ms, last_at_ms, status_code, duration_ms, error,
  answer, created_at_ms, ended_at_ms
FROM webhook_deliveries WHERE id = $1

-- name: webhook.deliveries
SELECT number, id, webhook_id, event_id, event_type, '', state, replay_of, attempts, next_at_ms, last_at_ms, status_code, duration_ms, error,
  answer, created_at_ms, ended_at_ms
FROM webhook_deliveries
WHERE webhook_id = $webhook_id
  AND state = $state -- when given
  AND event_type = $event_type -- when given
  AND event_id = $event_id -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit

-- name: webhook.to_replay
SELECT number, id, webhook_id, event_id, event_type, body, state, replay_of, attempts, next_at_ms, last_at_ms, status_code, duration_ms, error,
  answer, created_at_ms, ended_at_ms
FROM webhook_deliveries
WHERE webhook_id = $webhook_id AND created_at_ms >= $from_ms AND created_at_ms < $to_ms AND number > $after AND replay_of = '' AND event_type <> 'webhook.ping'
  AND state = $state -- when given
  AND event_type = $event_type -- when given
ORDER BY number
LIMIT $limit
