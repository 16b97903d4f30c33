-- Clicks that hold something of a person: the named ones, and those of the visitors who made them.
SELECT DISTINCT click_id FROM clicks
WHERE advertiser_id = ? AND time >= ? AND time <= ? AND erased = 0 AND (visitor IN ? OR click_id IN ?)
