-- name: ledger.count_to_reattribute
SELECT COUNT(*) FROM (SELECT 1 FROM conversions WHERE advertiser_id = $1 AND event_time_ms >= $2 AND event_time_ms < $3 LIMIT $4) AS found

-- name: ledger.to_reattribute
SELECT number, id, advertiser_id, event, order_id, amount_minor, currency, customer, source, signed, attributed, reason,
  event_time_ms, received_at_ms, fields, trace, refunded_minor, refunded_part, upgraded_at_ms, updated_at_ms
FROM conversions WHERE advertiser_id = $1 AND event_time_ms >= $2 AND event_time_ms < $3 AND number > $4
ORDER BY number LIMIT $5

-- name: ledger.reattribute_conversion
UPDATE conversions SET attributed = $2, reason = $3, trace = $4, updated_at_ms = $5 WHERE number = $1

-- name: ledger.reattribution
SELECT log, through FROM settled WHERE log >= $1 AND log < $2

-- name: ledger.advertiser_campaigns
SELECT id, currency FROM campaigns WHERE advertiser_id = $1

-- name: ledger.bought_before
-- Whether the customer had bought by then: an order is not before itself.
SELECT COUNT(*) FROM customers WHERE advertiser_id = $1 AND customer = $2 AND first_sale_ms <= $3 AND first_sale <> $4
