-- name: ledger.post
SELECT p.task_id, p.campaign_id, p.creator_id, p.advertiser_id, p.platform, p.status, p.posted_at_ms, c.starts_at_ms, c.fields
FROM posts p JOIN campaigns c ON c.id = p.campaign_id WHERE p.id = $1

-- name: ledger.post_told
SELECT p.advertiser_id, p.campaign_id, p.creator_id, p.task_id, p.platform, c.currency, p.status, p.archived_at_ms, p.posted_at_ms
FROM posts p JOIN campaigns c ON c.id = p.campaign_id WHERE p.id = $1

-- name: ledger.post_latest
SELECT likes, views, shares, comments FROM post_snapshots WHERE post_id = $1 ORDER BY at_ms DESC LIMIT 1

-- name: ledger.post_followers
-- How many followers there were when the campaign started: as last seen before, else as first seen since.
SELECT followers FROM post_snapshots WHERE post_id = $1 AND followers > 0
ORDER BY CASE WHEN at_ms <= $2 THEN 0 ELSE 1 END, CASE WHEN at_ms <= $2 THEN -at_ms ELSE at_ms END LIMIT 1

-- name: ledger.post_booking
SELECT quantity, worth_minor, action_id FROM post_bookings WHERE post_id = $1 AND metric = $2

-- name: ledger.keep_post_booking
INSERT INTO post_bookings (post_id, metric, quantity, worth_minor, action_id, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (post_id, metric) DO UPDATE SET quantity = excluded.quantity, worth_minor = excluded.worth_minor, action_id = excluded.action_id,
  at_ms = excluded.at_ms

-- name: ledger.post_actions
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE post_id = $1 AND referral = 'post' ORDER BY number
