-- name: ledger.keep_rate
INSERT INTO fx_rates (day, base, quote, rate, at_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (day, base, quote) DO UPDATE SET rate = excluded.rate, at_ms = excluded.at_ms

-- name: ledger.rate_list
SELECT day, base, quote, rate, at_ms FROM fx_rates
WHERE day <> ''
  AND day = $day -- when given
  AND base = $base -- when given
  AND quote = $quote -- when given
  AND day || base || quote < $before_key -- when given
ORDER BY day || base || quote DESC
LIMIT $limit
