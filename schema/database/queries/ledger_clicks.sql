-- name: ledger.click_campaigns
-- Campaigns that ever had terms that pay per click, and since when.
SELECT campaign_id, MIN(valid_from_ms) FROM campaign_terms WHERE terms LIKE '%"click":{%' GROUP BY campaign_id

-- name: ledger.clicks_booked
SELECT COUNT(*) FROM click_bookings WHERE task_id = $1 AND hour_ms = $2

-- name: ledger.book_clicks
INSERT INTO click_bookings (task_id, hour_ms, quantity, action_id, at_ms) VALUES ($1, $2, $3, $4, $5)

-- name: ledger.keep_clicks_paid
UPDATE counters SET value = $1 WHERE name = 'clicks_paid' AND value < $1
