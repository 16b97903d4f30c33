-- Clicks that terms pay for, by hour and task: unique, valid, and able to earn.
SELECT
    toInt64(toUnixTimestamp(toStartOfHour(time))) * 1000 AS hour_ms, campaign_id, any(creator_id) AS creator, task_id,
    if(uniqExact(link_id) = 1, any(link_id), '') AS link, toInt64(count()) AS quantity
FROM clicks
WHERE has({campaigns:Array(String)}, campaign_id)
    AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND verdict = 'valid' AND is_unique = 1 AND unpayable = '' AND task_id != ''
GROUP BY hour_ms, campaign_id, task_id
ORDER BY hour_ms, campaign_id, task_id
