-- name: integration.count
INSERT INTO report_hours (advertiser_id, source, hour_ms, outcome, code, reports) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (advertiser_id, source, hour_ms, outcome, code) DO UPDATE SET reports = report_hours.reports + excluded.reports

-- name: integration.saw
INSERT INTO report_ways (advertiser_id, source, first_at_ms, last_accepted_ms, last_refused_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (advertiser_id, source) DO UPDATE SET
  last_accepted_ms = CASE WHEN excluded.last_accepted_ms > report_ways.last_accepted_ms THEN excluded.last_accepted_ms ELSE report_ways.last_accepted_ms END,
  last_refused_ms = CASE WHEN excluded.last_refused_ms > report_ways.last_refused_ms THEN excluded.last_refused_ms ELSE report_ways.last_refused_ms END

-- name: integration.forget
DELETE FROM report_hours WHERE hour_ms < $1

-- name: integration.ways
SELECT source, first_at_ms, last_accepted_ms, last_refused_ms FROM report_ways WHERE advertiser_id = $1

-- name: integration.counts
SELECT source, outcome, code, SUM(reports) FROM report_hours WHERE advertiser_id = $1 AND hour_ms >= $2
GROUP BY source, outcome, code ORDER BY source, outcome, SUM(reports) DESC, code

-- name: integration.usual
SELECT COALESCE(SUM(reports), 0) FROM report_hours
WHERE advertiser_id = $1 AND source = $2 AND hour_ms > $3 AND hour_ms <= $4 AND outcome <> 'quarantined'
