-- What the copy of the ledger adds up to, to be compared with the ledger.
SELECT 'actions' AS what, CAST(advertiser_id AS String), CAST(currency AS String), CAST(state AS String) AS state_name,
    toInt64(count()), sum(amount_minor), sum(payout_minor), sum(cost_minor)
FROM actions FINAL GROUP BY advertiser_id, currency, state
UNION ALL
SELECT 'conversions', CAST(advertiser_id AS String), CAST(currency AS String), if(attributed = 1, 'attributed', 'unattributed'),
    toInt64(count()), sum(amount_minor), sum(refunded_minor), toInt64(0)
FROM conversions FINAL GROUP BY advertiser_id, currency, attributed
UNION ALL
SELECT 'entries', CAST(advertiser_id AS String), CAST(currency AS String), CAST(to_state AS String),
    toInt64(count()), sum(amount_delta), sum(payout_delta), sum(cost_delta)
FROM entries FINAL GROUP BY advertiser_id, currency, to_state
UNION ALL
SELECT 'action_sums', CAST(advertiser_id AS String), CAST(currency AS String), CAST(state AS String),
    sum(actions) AS number, sum(amount_minor) AS amount, sum(payout_minor) AS payout, sum(cost_minor) AS cost
FROM action_sums WHERE advertiser_id != '' GROUP BY advertiser_id, currency, state
HAVING number != 0 OR amount != 0 OR payout != 0 OR cost != 0
