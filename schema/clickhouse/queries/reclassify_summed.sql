-- The last step whose differences are in a table of sums, of the month a step is in, on
-- the shard that is furthest behind of those the step changes: a shard has a step of a
-- month whole or not at all. A template: what goes in is the table.
SELECT min(last)
FROM
(
    SELECT shard, max(corrected_to) AS last
    FROM
    (
        SELECT shardNum() AS shard, toUInt64(0) AS corrected_to, 1 AS changes FROM click_changes WHERE step = {step:UInt64} GROUP BY shard
        UNION ALL
        SELECT shardNum() AS shard, max(corrected) AS corrected_to, 0 AS changes FROM {{.Table}}
        WHERE toYYYYMM(bucket) = toYYYYMM(fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC'))
        GROUP BY shard
    )
    GROUP BY shard
    HAVING max(changes) = 1
)
