-- What the rules against fraud say, and what they count.

-- name: ledger.insert_fraud_signal
INSERT INTO fraud_signals (number, id, advertiser_id, campaign_id, creator_id, conversion_id, action_id, order_id, rule, version, severity,
  reason, figures, sentence, at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- name: ledger.fraud_signal_list
SELECT number, id, advertiser_id, campaign_id, creator_id, conversion_id, action_id, order_id, rule, version, severity, reason, figures,
  sentence, at_ms
FROM fraud_signals WHERE number > 0
  AND conversion_id = $conversion_id AND conversion_id <> '' -- when given
  AND action_id = $action_id AND action_id <> '' -- when given
  AND creator_id = $creator_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND creator_id || '' = $also_creator_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND order_id = $order_id -- when given
  AND rule = $rule -- when given
  AND severity = $severity -- when given
  AND at_ms >= $from -- when given
  AND at_ms < $to -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit

-- name: ledger.action_fraud_rules
SELECT rule FROM fraud_signals WHERE action_id = $1 AND action_id <> '' ORDER BY number

-- name: ledger.count_fraud
INSERT INTO fraud_counts (advertiser_id, subject, hour_ms, orders) VALUES ($1, $2, $3, 1)
ON CONFLICT (advertiser_id, subject, hour_ms) DO UPDATE SET orders = fraud_counts.orders + 1
RETURNING orders + (SELECT COALESCE(SUM(earlier.orders), 0) FROM fraud_counts AS earlier
  WHERE earlier.advertiser_id = $1 AND earlier.subject = $2 AND earlier.hour_ms > $4 AND earlier.hour_ms < $3)

-- name: ledger.old_fraud_counts
SELECT COUNT(*) FROM (SELECT hour_ms FROM fraud_counts WHERE hour_ms < $1 LIMIT 1) AS old

-- name: ledger.forget_fraud_counts
DELETE FROM fraud_counts WHERE hour_ms < $1

-- name: ledger.advertisers_rules
SELECT id, fields FROM advertisers WHERE archived_at_ms = 0 ORDER BY id

-- name: ledger.fraud_rate_told
SELECT COUNT(*) FROM fraud_signals WHERE creator_id = $1 AND campaign_id = $2 AND rule = $3 AND at_ms > $4

-- name: ledger.keep_fraud_rates
UPDATE counters SET value = $1 WHERE name = 'fraud_rates' AND value < $1

-- name: ledger.creator_pending_clicks
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE creator_id = $1 AND campaign_id || '' = $2 AND state || '' = 'pending' AND referral = 'click' AND conversion_id <> ''
  AND event_time_ms >= $3 AND event_time_ms < $4
ORDER BY number DESC LIMIT $5
