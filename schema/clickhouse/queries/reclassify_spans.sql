-- How many hits there are from when on, to cut a range into steps.
SELECT toInt64(toUnixTimestamp(bucket)) * 1000 AS from_ms, toInt64(sum(hits)) AS n
FROM campaign_clicks_15m
WHERE bucket >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND bucket < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND ({advertiser:String} = '' OR advertiser_id = {advertiser:String})
GROUP BY bucket
ORDER BY bucket
LIMIT 10000
