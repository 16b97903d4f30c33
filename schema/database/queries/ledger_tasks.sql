-- name: ledger.task
SELECT id, campaign_id, creator_id, advertiser_id, platform, status, fee_minor FROM tasks WHERE id = $1

-- name: ledger.only_task
SELECT COALESCE(MAX(id), ''), COUNT(*) FROM tasks WHERE creator_id = $1 AND archived_at_ms = 0

-- name: ledger.approved_tasks
SELECT id, campaign_id, creator_id, advertiser_id, platform, status, fee_minor FROM tasks
WHERE campaign_id = $1 AND creator_id = $2 AND status = 'approved' ORDER BY id

-- name: ledger.task_intended
-- What was agreed to be paid for a task already.
SELECT COALESCE(SUM(intended_minor), 0) FROM actions WHERE task_id = $1 AND referral = 'task' AND state <> 'reversed'

-- name: ledger.payment_of_key
SELECT action_id FROM task_payments WHERE task_id = $1 AND request_key = $2 ORDER BY number LIMIT 1

-- name: ledger.payment_of_amount
SELECT p.action_id FROM task_payments p JOIN actions a ON a.id = p.action_id
WHERE p.task_id = $1 AND p.amount_minor = $2 AND p.at_ms > $3 AND a.state <> 'reversed' ORDER BY p.number LIMIT 1

-- name: ledger.insert_payment
INSERT INTO task_payments (number, task_id, request_key, amount_minor, action_id, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
