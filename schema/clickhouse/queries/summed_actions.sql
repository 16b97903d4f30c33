-- The number of the last entry that action_sums has, and of the last above it that
-- there is, 0 for none; which server says so, and how many of the two tables have
-- rows on another replica that it does not have yet.
WITH (SELECT toUInt64(sum(actions)) FROM action_sums WHERE advertiser_id = '') AS position
SELECT
    position, max(number), hostName(),
    (
        SELECT count() FROM system.replicas
        WHERE database = currentDatabase() AND table IN ('entries', 'action_sums')
            AND (is_readonly = 1 OR is_session_expired = 1 OR inserts_in_queue > 0 OR log_pointer <= log_max_index AND log_max_index > 0)
    )
FROM entries WHERE number > position
