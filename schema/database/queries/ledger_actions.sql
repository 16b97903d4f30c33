-- name: ledger.insert_action
INSERT INTO actions (number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code,
  platform, event, order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms,
  received_at_ms, terms_version, created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons,
  over_budget, notes, reversal, lock_at_ms, pay_at_ms, locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
  $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45)

-- name: ledger.update_action
UPDATE actions SET quantity = $1, amount_minor = $2, intended_minor = $3, payout_minor = $4, cost_minor = $5, state = $6, reasons = $7,
  over_budget = $8, notes = $9, reversal = $10, lock_at_ms = $11, pay_at_ms = $12, locked_at_ms = $13, payable_at_ms = $14,
  paid_at_ms = $15, reversed_at_ms = $16, payout_id = $17, seq = $18, updated_at_ms = $19
WHERE number = $20

-- name: ledger.insert_entry
INSERT INTO entries (number, action, seq, at_ms, verb, key_id, role, reason, note, from_state, to_state, reasons, amount_delta,
  intended_delta, payout_delta, cost_delta)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: ledger.entries
SELECT number, seq, at_ms, verb, key_id, role, reason, note, from_state, to_state, reasons, amount_delta, intended_delta, payout_delta,
  cost_delta
FROM entries WHERE action = $1 ORDER BY seq

-- name: ledger.action
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE id = $1

-- name: ledger.campaign_actions
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE campaign_id = $1

-- name: ledger.over_budget_actions
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE campaign_id = $1 AND over_budget = 1 ORDER BY number LIMIT $2

-- name: ledger.conversion_actions
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE order_id = $1 AND conversion_id = $2 ORDER BY number

-- name: ledger.corrections
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE corrects = $1 AND corrects <> '' ORDER BY number

-- name: ledger.actions_to_lock
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE state = 'pending' AND lock_at_ms > 0 AND lock_at_ms <= $1 ORDER BY lock_at_ms, number LIMIT $2

-- name: ledger.actions_to_pay
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE state = 'locked' AND pay_at_ms > 0 AND pay_at_ms <= $1 ORDER BY pay_at_ms, number LIMIT $2

-- name: ledger.action_list
-- One of the first conditions is given, and finds the rows by its index.
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE number > 0
  AND order_id = $order_id -- when given
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND order_id || '' = $also_order_id -- when given
  AND creator_id || '' = $also_creator_id -- when given
  AND campaign_id || '' = $also_campaign_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND conversion_id = $conversion_id -- when given
  AND task_id = $task_id -- when given
  AND link_id = $link_id -- when given
  AND post_id = $post_id -- when given
  AND lower(code) = $code -- when given
  AND platform = $platform -- when given
  AND event = $event -- when given
  AND click_id = $click_id -- when given
  AND referral = $referral -- when given
  AND model = $model -- when given
  AND currency = $currency -- when given
  AND state = $state -- when given
  AND ' ' || reasons || ' ' LIKE $reason ESCAPE '\' -- when given
  AND reversal = $reversal -- when given
  AND corrects = $corrects -- when given
  AND payout_id = $payout_id -- when given
  AND terms_version = $terms_version -- when given
  AND event_time_ms >= $event_from -- when given
  AND event_time_ms < $event_to -- when given
  AND lock_at_ms > 0 AND lock_at_ms < $lock_before -- when given
  AND pay_at_ms > 0 AND pay_at_ms < $pay_before -- when given
  AND updated_at_ms >= $updated_since -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit

-- name: ledger.action_list_oldest
SELECT number, id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code_id, code, platform, event,
  order_id, click_id, customer, corrects, referral, model, credit, currency, click_time_ms, event_time_ms, received_at_ms, terms_version,
  created_at_ms, quantity, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, notes, reversal, lock_at_ms, pay_at_ms,
  locked_at_ms, payable_at_ms, paid_at_ms, reversed_at_ms, payout_id, seq, updated_at_ms
FROM actions WHERE number > 0
  AND order_id = $order_id -- when given
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND order_id || '' = $also_order_id -- when given
  AND creator_id || '' = $also_creator_id -- when given
  AND campaign_id || '' = $also_campaign_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND conversion_id = $conversion_id -- when given
  AND task_id = $task_id -- when given
  AND link_id = $link_id -- when given
  AND post_id = $post_id -- when given
  AND lower(code) = $code -- when given
  AND platform = $platform -- when given
  AND event = $event -- when given
  AND click_id = $click_id -- when given
  AND referral = $referral -- when given
  AND model = $model -- when given
  AND currency = $currency -- when given
  AND state = $state -- when given
  AND ' ' || reasons || ' ' LIKE $reason ESCAPE '\' -- when given
  AND reversal = $reversal -- when given
  AND corrects = $corrects -- when given
  AND payout_id = $payout_id -- when given
  AND terms_version = $terms_version -- when given
  AND event_time_ms >= $event_from -- when given
  AND event_time_ms < $event_to -- when given
  AND lock_at_ms > 0 AND lock_at_ms < $lock_before -- when given
  AND pay_at_ms > 0 AND pay_at_ms < $pay_before -- when given
  AND updated_at_ms >= $updated_since -- when given
  AND number > $after -- when given
ORDER BY number
LIMIT $limit

-- name: ledger.conversion
SELECT number, id, advertiser_id, event, order_id, amount_minor, currency, customer, source, signed, attributed, reason,
  event_time_ms, received_at_ms, fields, trace, refunded_minor, refunded_part, upgraded_at_ms, updated_at_ms
FROM conversions WHERE id = $1

-- name: ledger.conversion_list
SELECT number, id, advertiser_id, event, order_id, amount_minor, currency, customer, source, signed, attributed, reason,
  event_time_ms, received_at_ms, fields, trace, refunded_minor, refunded_part, upgraded_at_ms, updated_at_ms
FROM conversions WHERE number > 0
  AND order_id = $order_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND EXISTS (SELECT 1 FROM actions a WHERE a.order_id = conversions.order_id AND a.conversion_id = conversions.id AND a.creator_id = $creator_id) -- when given
  AND event = $event -- when given
  AND source = $source -- when given
  AND signed = $signed -- when given
  AND attributed = $attributed -- when given
  AND reason = $reason -- when given
  AND event_time_ms >= $event_from -- when given
  AND event_time_ms < $event_to -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit

-- name: ledger.conversion_list_oldest
SELECT number, id, advertiser_id, event, order_id, amount_minor, currency, customer, source, signed, attributed, reason,
  event_time_ms, received_at_ms, fields, trace, refunded_minor, refunded_part, upgraded_at_ms, updated_at_ms
FROM conversions WHERE number > 0
  AND order_id = $order_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND EXISTS (SELECT 1 FROM actions a WHERE a.order_id = conversions.order_id AND a.conversion_id = conversions.id AND a.creator_id = $creator_id) -- when given
  AND event = $event -- when given
  AND source = $source -- when given
  AND signed = $signed -- when given
  AND attributed = $attributed -- when given
  AND reason = $reason -- when given
  AND event_time_ms >= $event_from -- when given
  AND event_time_ms < $event_to -- when given
  AND number > $after -- when given
ORDER BY number
LIMIT $limit
