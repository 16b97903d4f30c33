-- The number of the last entry that action_sums has, and of the last above it that
-- there is, 0 for none.
WITH (SELECT toUInt64(sum(actions)) FROM action_sums WHERE advertiser_id = '') AS position
SELECT position, max(number) FROM entries WHERE number > position
