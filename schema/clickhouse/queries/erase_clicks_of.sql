-- Visitors of clicks, and when they came. Each hash is one day's.
SELECT visitor, min(time), max(time) FROM clicks
WHERE advertiser_id = ? AND time >= ? AND time <= ? AND click_id IN ? AND visitor != 0
GROUP BY visitor
