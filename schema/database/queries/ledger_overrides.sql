-- name: ledger.override
SELECT verdict FROM click_overrides WHERE click_id = $1

-- name: ledger.overridden_span
SELECT COALESCE(MIN(click_time_ms), 0), COALESCE(MAX(click_time_ms), 0) FROM click_overrides

-- name: ledger.count_overrides
SELECT COUNT(*) FROM click_overrides

-- name: ledger.keep_override
INSERT INTO click_overrides (click_id, click_time_ms, verdict, rules_version, run_id, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (click_id) DO UPDATE SET verdict = excluded.verdict, rules_version = excluded.rules_version, run_id = excluded.run_id, at_ms = excluded.at_ms

-- name: ledger.drop_overrides
DELETE FROM click_overrides WHERE click_time_ms < $1
