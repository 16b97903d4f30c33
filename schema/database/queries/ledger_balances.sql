-- name: ledger.balance
SELECT a.advertiser_id, a.currency, a.state, SUM(a.payout_minor)
FROM actions a JOIN campaigns c ON c.id = a.campaign_id
WHERE a.creator_id = $creator_id AND a.state <> 'reversed'
  AND a.advertiser_id = $advertiser_id -- when given
  AND c.agency_margin_millionths = $agency -- when given
GROUP BY a.advertiser_id, a.currency, a.state
ORDER BY a.advertiser_id, a.currency

-- name: ledger.statement
-- What changed of a creator's pay, oldest first.
SELECT e.number, e.at_ms, e.verb, e.from_state, e.to_state, e.payout_delta, a.payout_minor, a.currency, a.id, a.advertiser_id, a.campaign_id, a.task_id,
  a.event, a.order_id, a.referral, a.payout_id
FROM entries e JOIN actions a ON a.number = e.action JOIN campaigns c ON c.id = a.campaign_id
WHERE a.creator_id = $creator_id AND (e.payout_delta <> 0 OR e.from_state <> e.to_state)
  AND a.advertiser_id = $advertiser_id -- when given
  AND c.agency_margin_millionths = $agency -- when given
  AND a.campaign_id = $campaign_id -- when given
  AND a.currency = $currency -- when given
  AND e.at_ms >= $from -- when given
  AND e.at_ms < $to -- when given
  AND e.number > $after -- when given
ORDER BY e.number
LIMIT $limit
