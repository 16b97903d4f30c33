-- name: ledger.count_reports
INSERT INTO report_tallies (log, kind, outcome, code, reports) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (log, kind, outcome, code) DO UPDATE SET reports = report_tallies.reports + excluded.reports

-- name: ledger.report_tallies
SELECT log, kind, outcome, code, reports FROM report_tallies ORDER BY log, kind, outcome, code

-- name: ledger.positions
SELECT log, through FROM settled

-- name: ledger.quarantined_count
SELECT COUNT(*) FROM quarantine
