-- What creators' clicks in a campaign led to, in a window and in the days before it: where there is enough of both to
-- compare. Pay per click is no order.
SELECT
    CAST(advertiser_id AS String), CAST(campaign_id AS String), CAST(creator_id AS String),
    sum(o) AS orders, sum(c) AS clicks, sum(usual_o) AS usual_orders, sum(usual_c) AS usual_clicks
FROM
(
    SELECT
        advertiser_id, campaign_id, creator_id, toInt64(0) AS o, toInt64(0) AS usual_o,
        toInt64(sumIf(clicks, bucket >= toDateTime({from_ms:Int64} / 1000, 'UTC'))) AS c,
        toInt64(sumIf(clicks, bucket < toDateTime({from_ms:Int64} / 1000, 'UTC'))) AS usual_c
    FROM clicks_15m
    WHERE has({advertisers:Array(String)}, advertiser_id)
        AND bucket >= toDateTime({usual_ms:Int64} / 1000, 'UTC') AND bucket < toDateTime({to_ms:Int64} / 1000, 'UTC')
    GROUP BY advertiser_id, campaign_id, creator_id
    UNION ALL
    SELECT
        advertiser_id, campaign_id, creator_id,
        sumIf(actions, bucket >= toDateTime({from_ms:Int64} / 1000, 'UTC')) AS o,
        sumIf(actions, bucket < toDateTime({from_ms:Int64} / 1000, 'UTC')) AS usual_o,
        toInt64(0) AS c, toInt64(0) AS usual_c
    FROM action_sums
    WHERE has({advertisers:Array(String)}, advertiser_id)
        AND bucket >= toDateTime({usual_ms:Int64} / 1000, 'UTC') AND bucket < toDateTime({to_ms:Int64} / 1000, 'UTC')
        AND referral = 'click' AND event != 'click' AND state != 'reversed'
    GROUP BY advertiser_id, campaign_id, creator_id
)
GROUP BY advertiser_id, campaign_id, creator_id
HAVING orders >= {least_orders:Int64} AND usual_clicks >= {least_clicks:Int64}
ORDER BY advertiser_id, campaign_id, creator_id
LIMIT 10000
