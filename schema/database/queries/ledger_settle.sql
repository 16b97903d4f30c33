-- name: ledger.position
SELECT through FROM settled WHERE log = $1

-- name: ledger.move_position
INSERT INTO settled (log, through, at_ms) VALUES ($1, $2, $3)
ON CONFLICT (log) DO UPDATE SET through = excluded.through, at_ms = excluded.at_ms

-- name: ledger.tell
INSERT INTO outbox (number, kind, payload) VALUES ($1, $2, $3)

-- name: ledger.insert_conversion
INSERT INTO conversions (number, id, advertiser_id, event, order_id, amount_minor, currency, customer, source, signed, attributed,
  reason, event_time_ms, received_at_ms, fields, trace, updated_at_ms, customer_status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT DO NOTHING

-- name: ledger.upgrade_conversion
UPDATE conversions SET amount_minor = $2, currency = $3, customer = $4, source = $5, signed = 1, fields = $6, refunded_minor = $7,
  refunded_part = $8, upgraded_at_ms = $9, updated_at_ms = $9
WHERE number = $1

-- name: ledger.refund_conversion
UPDATE conversions SET refunded_minor = $2, refunded_part = $3, updated_at_ms = $4 WHERE number = $1

-- name: ledger.conversion_of_order
SELECT number, id, advertiser_id, event, order_id, amount_minor, currency, customer, source, signed, attributed, reason,
  event_time_ms, received_at_ms, fields, trace, refunded_minor, refunded_part, upgraded_at_ms, updated_at_ms
FROM conversions WHERE order_id = $1 AND advertiser_id = $2 AND event = $3

-- name: ledger.customer
SELECT click_id, 0 FROM (SELECT click_id FROM customer_touches WHERE advertiser_id = $1 AND customer = $2 ORDER BY click_id DESC LIMIT 100) AS known
UNION ALL
SELECT '', first_sale_ms FROM customers WHERE advertiser_id = $1 AND customer = $2

-- name: ledger.keep_touch
INSERT INTO customer_touches (advertiser_id, customer, click_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: ledger.keep_sale
INSERT INTO customers (advertiser_id, customer, first_sale_ms, first_sale) VALUES ($1, $2, $3, $4)
ON CONFLICT (advertiser_id, customer) DO UPDATE SET first_sale_ms = excluded.first_sale_ms, first_sale = excluded.first_sale
WHERE excluded.first_sale_ms < customers.first_sale_ms

-- name: ledger.insert_refund
INSERT INTO refunds (advertiser_id, refund_id, conversion_id, named, amount_minor, currency, reason, receipt_id, at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING

-- name: ledger.refund
SELECT conversion_id FROM refunds WHERE advertiser_id = $1 AND refund_id = $2

-- name: ledger.unnamed_refund
SELECT COUNT(*) FROM refunds WHERE conversion_id = $1 AND at_ms > $2 AND named = $3 AND refund_id = receipt_id

-- name: ledger.insert_quarantine
INSERT INTO quarantine (number, id, advertiser_id, kind, code, reason, receipt_id, event, order_id, source, report, raw, at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: ledger.quarantined
SELECT number, id, advertiser_id, kind, code, reason, receipt_id, event, order_id, source, report, raw, at_ms, replayed_at_ms, outcome
FROM quarantine WHERE id = $1

-- name: ledger.quarantine_replayed
UPDATE quarantine SET replayed_at_ms = $2, outcome = $3, code = $4, reason = $5 WHERE number = $1

-- name: ledger.quarantine_list
SELECT number, id, advertiser_id, kind, code, reason, receipt_id, event, order_id, source, report, raw, at_ms, replayed_at_ms, outcome
FROM quarantine
WHERE number > 0
  AND advertiser_id = $advertiser_id -- when given
  AND code = $code -- when given
  AND kind = $kind -- when given
  AND order_id = $order_id -- when given
  AND replayed_at_ms = 0 AND $waiting = 1 -- when given
  AND replayed_at_ms > 0 AND $replayed = 1 -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit
