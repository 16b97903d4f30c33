-- How many tables, of the replicas that answer for a cluster, have rows on another replica
-- that they do not have yet.
SELECT count()
FROM cluster({cluster:String}, system.replicas)
WHERE database = (SELECT currentDatabase())
    AND (is_readonly = 1 OR is_session_expired = 1 OR inserts_in_queue > 0 OR log_pointer <= log_max_index AND log_max_index > 0)
