-- name: ledger.payable_groups
-- What may be paid of an advertiser, by creator and currency.
SELECT creator_id, currency, SUM(payout_minor), COUNT(*) FROM actions
WHERE advertiser_id = $1 AND state = 'payable' AND payout_id = '' AND payable_at_ms <= $2
GROUP BY creator_id, currency ORDER BY creator_id, currency

-- name: ledger.payable_actions
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE advertiser_id = $1 AND creator_id = $2 AND currency = $3 AND state = 'payable' AND payout_id = '' AND payable_at_ms <= $4
ORDER BY number

-- name: ledger.payout_actions
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE payout_id = $1 AND payout_id <> '' ORDER BY number

-- name: ledger.advertiser_fields
SELECT fields FROM advertisers WHERE id = $1

-- name: ledger.insert_payout
INSERT INTO payouts (number, id, advertiser_id, creator_id, currency, amount_minor, actions, state, reference, as_of_ms, created_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', '', $8, $9)

-- name: ledger.pay_payout
UPDATE payouts SET state = 'paid', reference = $2, paid_at_ms = $3 WHERE id = $1

-- name: ledger.payout
SELECT p.number, p.id, p.advertiser_id, p.creator_id, p.currency, p.amount_minor, p.actions, p.state, p.reference, p.as_of_ms,
  p.created_at_ms, p.paid_at_ms, k.fields,
  EXISTS (SELECT 1 FROM actions a JOIN campaigns c ON c.id = a.campaign_id WHERE a.payout_id = p.id AND a.payout_id <> '' AND c.agency_margin_millionths > 0)
FROM payouts p JOIN creators k ON k.id = p.creator_id WHERE p.id = $1

-- name: ledger.payout_list
SELECT p.number, p.id, p.advertiser_id, p.creator_id, p.currency, p.amount_minor, p.actions, p.state, p.reference, p.as_of_ms,
  p.created_at_ms, p.paid_at_ms, k.fields,
  EXISTS (SELECT 1 FROM actions a JOIN campaigns c ON c.id = a.campaign_id WHERE a.payout_id = p.id AND a.payout_id <> '' AND c.agency_margin_millionths > 0)
FROM payouts p JOIN creators k ON k.id = p.creator_id
WHERE p.number > 0
  AND p.advertiser_id = $advertiser_id -- when given
  AND p.creator_id = $creator_id -- when given
  AND p.currency = $currency -- when given
  AND p.state = $state -- when given
  AND p.number < $before -- when given
ORDER BY p.number DESC
LIMIT $limit
