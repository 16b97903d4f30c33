-- name: ledger.campaign_money
SELECT budget_minor, budget_mode, committed_minor, over_budget, max_creator_payout_minor, margin_millionths, agency_margin_millionths,
  told_percent, told_of_minor
FROM campaigns WHERE id = $1

-- name: ledger.agency_margin
SELECT agency_margin_millionths FROM campaigns WHERE id = $1

-- name: ledger.keep_committed
UPDATE campaigns SET committed_minor = $2 WHERE id = $1

-- name: ledger.keep_told
UPDATE campaigns SET told_percent = $2, told_of_minor = $3 WHERE id = $1

-- name: ledger.keep_over_budget
UPDATE campaigns SET over_budget = $2, changed = $3 WHERE id = $1

-- name: ledger.tally
SELECT payout_minor, actions FROM cap_tallies WHERE campaign_id = $1 AND scope = $2 AND scope_id = $3 AND from_ms = $4 AND to_ms = $5

-- name: ledger.insert_tally
INSERT INTO cap_tallies (campaign_id, scope, scope_id, from_ms, to_ms, payout_minor, actions) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: ledger.update_tally
UPDATE cap_tallies SET payout_minor = $6, actions = $7
WHERE campaign_id = $1 AND scope = $2 AND scope_id = $3 AND from_ms = $4 AND to_ms = $5

-- name: ledger.forget_tallies
DELETE FROM cap_tallies WHERE campaign_id = $1

-- name: ledger.cap_shape
SELECT shape FROM cap_shapes WHERE campaign_id = $1

-- name: ledger.keep_cap_shape
INSERT INTO cap_shapes (campaign_id, shape) VALUES ($1, $2) ON CONFLICT (campaign_id) DO UPDATE SET shape = excluded.shape

-- name: ledger.over_budget_campaigns
SELECT id FROM campaigns WHERE over_budget = 1 AND id > $1 ORDER BY id LIMIT $2

-- name: ledger.campaigns_flipped
SELECT id, advertiser_id, approved_at_ms, paused_at_ms, closed_at_ms, over_budget, starts_at_ms, ends_at_ms FROM campaigns
WHERE (starts_at_ms > $1 AND starts_at_ms <= $2 OR ends_at_ms > $1 AND ends_at_ms <= $2) AND archived_at_ms = 0

-- name: ledger.next_due
SELECT MIN(at_ms) FROM (
  SELECT MIN(lock_at_ms) AS at_ms FROM actions WHERE state = 'pending' AND lock_at_ms > 0
  UNION ALL SELECT MIN(pay_at_ms) FROM actions WHERE state = 'locked' AND pay_at_ms > 0
  UNION ALL SELECT MIN(starts_at_ms) FROM campaigns WHERE starts_at_ms > $1
  UNION ALL SELECT MIN(ends_at_ms) FROM campaigns WHERE ends_at_ms > $1
) AS due

-- name: ledger.keep_flipped
UPDATE counters SET value = $1 WHERE name = 'campaigns_flipped'

-- name: ledger.campaigns_to_flip
SELECT COUNT(*) FROM (SELECT 1 FROM campaigns
  WHERE starts_at_ms > (SELECT value FROM counters WHERE name = 'campaigns_flipped') AND starts_at_ms <= $1
  UNION ALL SELECT 1 FROM campaigns
  WHERE ends_at_ms > (SELECT value FROM counters WHERE name = 'campaigns_flipped') AND ends_at_ms <= $1) AS flips

-- name: ledger.due_now
SELECT COUNT(*) FROM (SELECT 1 FROM (SELECT 1 FROM actions WHERE state = 'pending' AND lock_at_ms > 0 AND lock_at_ms <= $1 LIMIT 1) AS locks
  UNION ALL SELECT 1 FROM (SELECT 1 FROM actions WHERE state = 'locked' AND pay_at_ms > 0 AND pay_at_ms <= $1 LIMIT 1) AS pays) AS due
