-- What pending and locked actions are to pay, by the day they become payable, and
-- last those that have no day yet. A template like performance.sql.
SELECT
    if(pay_at = toDateTime64(0, 3, 'UTC'), '', toString(toDate(pay_at, {tz:String}))) AS day, CAST(currency AS String) AS currency, CAST(state AS String) AS state,
    toInt64(sum(payout_minor)), count()
FROM actions FINAL
WHERE state IN ('pending', 'locked')
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
GROUP BY day, currency, state
ORDER BY day = '', day, currency, state
LIMIT {{.Limit}}
