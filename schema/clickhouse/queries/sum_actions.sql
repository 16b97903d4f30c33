-- Adds the entries of (after, through] to action_sums, and moves its position. On the
-- server that was found to have all of them, and on no other.
INSERT INTO action_sums (bucket, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, referral, currency,
    state, actions, orders_nano, whole_orders, known_customer, new_customer, amount_minor, payout_minor, cost_minor)
SELECT
    toStartOfFifteenMinutes(toDateTime(event_time, 'UTC')) AS bucket,
    advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, referral, currency, state,
    sum(sign), sum(sign * orders_nano), sum(sign * whole_orders), sum(sign * known_customer), sum(sign * new_customer),
    sum(sign * (amount_minor - before * amount_delta)),
    sum(sign * (payout_minor - before * payout_delta)),
    sum(sign * (cost_minor - before * cost_delta))
FROM entries FINAL
ARRAY JOIN [1, -1] AS sign, [0, 1] AS before, [to_state, from_state] AS state
WHERE number > {after:UInt64} AND number <= {through:UInt64} AND state != ''
    AND throwIf(hostName() != {server:String}, 'another server of the cluster answers now') = 0
GROUP BY bucket, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, referral, currency, state
UNION ALL
SELECT toDateTime(0, 'UTC'), '', '', '', '', '', '', '', '', '', '', '', 'position',
    toInt64({through:UInt64} - {after:UInt64}), 0, 0, 0, 0, 0, 0, 0
