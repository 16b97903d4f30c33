-- The hits of a step, with those of the half hour before it that decide which are
-- unique, visitor by visitor in the order of time. What persons who were erased
-- left behind stays as it was judged.
SELECT
    node, seq, click_id, toUnixTimestamp64Milli(time) AS time_ms, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id,
    platform, currency, toUInt8(observed_platform != '' AND observed_platform != platform) AS mismatch,
    verdict, reasons, rules_version, is_unique, first_verdict, first_unique, unpayable, asn, visitor, user_agent
FROM clicks
WHERE erased = 0 AND time >= fromUnixTimestamp64Milli({context_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND ({advertiser:String} = '' OR advertiser_id = {advertiser:String})
    AND (time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') OR visitor != 0)
ORDER BY link_id, visitor, time, node, seq
