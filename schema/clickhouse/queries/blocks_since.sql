-- How many blocks, on the shard that has most, a table of a cluster may have taken since
-- a time: what was inserted since then lies in a part that was made since then.
SELECT toInt64(max(blocks))
FROM
(
    SELECT shard, sum(numbered) AS blocks
    FROM
    (
        SELECT shardNum() AS shard, partition_id, max(max_block_number) - min(min_block_number) + 1 AS numbered
        FROM cluster({cluster:String}, system.parts)
        WHERE database = {database:String} AND table = {table:String} AND active
            AND modification_time >= toDateTime({since_s:Int64}, 'UTC')
        GROUP BY shard, partition_id
    )
    GROUP BY shard
)
