-- name: ledger.due
-- What an advertiser owes and has not paid, by when it is to be paid, in quarters of an hour.
SELECT a.currency, CASE WHEN a.payout_id <> '' THEN 'in_payout' ELSE a.state END, a.pay_at_ms / 900000, SUM(a.payout_minor), COUNT(*)
FROM actions a JOIN campaigns c ON c.id = a.campaign_id
WHERE a.advertiser_id = $advertiser_id AND a.state IN ('held', 'pending', 'locked', 'payable')
  AND c.agency_margin_millionths = $agency -- when given
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3

-- name: ledger.payable
-- What a payout run would pay, by creator and currency; agency: whether one has a margin in some of it.
SELECT a.creator_id, k.fields, a.currency, SUM(a.payout_minor), COUNT(*), MAX(CASE WHEN c.agency_margin_millionths > 0 THEN 1 ELSE 0 END)
FROM actions a JOIN campaigns c ON c.id = a.campaign_id JOIN creators k ON k.id = a.creator_id
WHERE a.advertiser_id = $1 AND a.state = 'payable' AND a.payout_id = ''
GROUP BY a.creator_id, k.fields, a.currency ORDER BY SUM(a.payout_minor) DESC, a.creator_id
