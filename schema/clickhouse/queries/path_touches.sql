-- How many touches lay before conversions: valid clicks at or before the event. A
-- template like clicks.sql.
SELECT
    toUInt64(least(arrayCount((verdict, touched) -> verdict = 'valid' AND touched <= event_time, touch_verdicts, touch_times), {{.Most}})) AS touches,
    count() AS found
FROM conversions FINAL
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
    {{- if .Credited}}
    AND id IN
    (
        SELECT conversion_id FROM actions FINAL
        WHERE state != 'reversed' AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
            {{- range .Credited}}
            AND {{.}}
            {{- end}}
    )
    {{- end}}
GROUP BY touches
ORDER BY touches
