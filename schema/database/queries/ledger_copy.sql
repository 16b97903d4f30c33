-- name: ledger.entries_after
SELECT e.number, a.id, e.seq, e.at_ms, e.verb, e.role, e.from_state, e.to_state, a.advertiser_id, a.campaign_id, a.creator_id, a.task_id,
  a.link_id, a.post_id, a.code, a.platform, a.event, a.referral, a.currency, a.event_time_ms, a.conversion_id, a.credit,
  COALESCE(c.customer_status, ''), e.amount_delta, e.intended_delta, e.payout_delta, e.cost_delta,
  CAST((SELECT SUM(b.amount_delta) FROM entries b WHERE b.action = e.action AND b.seq <= e.seq) AS BIGINT),
  CAST((SELECT SUM(b.payout_delta) FROM entries b WHERE b.action = e.action AND b.seq <= e.seq) AS BIGINT),
  CAST((SELECT SUM(b.cost_delta) FROM entries b WHERE b.action = e.action AND b.seq <= e.seq) AS BIGINT)
FROM entries e JOIN actions a ON a.number = e.action LEFT JOIN conversions c ON c.id = a.conversion_id
WHERE e.number > $1 ORDER BY e.number LIMIT $2

-- name: ledger.agency_campaigns
SELECT id FROM campaigns WHERE advertiser_id = $1 AND agency_margin_millionths <> 0

-- name: ledger.action_totals
SELECT advertiser_id, currency, state, COUNT(*), CAST(SUM(amount_minor) AS BIGINT), CAST(SUM(payout_minor) AS BIGINT), CAST(SUM(cost_minor) AS BIGINT)
FROM actions GROUP BY advertiser_id, currency, state

-- name: ledger.conversion_totals
SELECT advertiser_id, currency, CASE WHEN attributed = 1 THEN 'attributed' ELSE 'unattributed' END AS outcome, COUNT(*), CAST(SUM(amount_minor) AS BIGINT), CAST(SUM(refunded_minor) AS BIGINT), 0
FROM conversions GROUP BY advertiser_id, currency, attributed

-- name: ledger.entry_totals
SELECT a.advertiser_id, a.currency, e.to_state, COUNT(*), CAST(SUM(e.amount_delta) AS BIGINT), CAST(SUM(e.payout_delta) AS BIGINT), CAST(SUM(e.cost_delta) AS BIGINT)
FROM entries e JOIN actions a ON a.number = e.action GROUP BY a.advertiser_id, a.currency, e.to_state

-- name: ledger.entry_sums
SELECT a.advertiser_id, a.currency, a.state, COUNT(DISTINCT a.number), CAST(SUM(e.amount_delta) AS BIGINT), CAST(SUM(e.payout_delta) AS BIGINT), CAST(SUM(e.cost_delta) AS BIGINT)
FROM entries e JOIN actions a ON a.number = e.action GROUP BY a.advertiser_id, a.currency, a.state

-- name: ledger.quarantine_totals
SELECT kind, code, COUNT(*) FROM quarantine WHERE replayed_at_ms = 0 GROUP BY kind, code ORDER BY kind, code
