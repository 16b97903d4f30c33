-- How long conversions took from a touch, in milliseconds: how many there are,
-- median, 90th percentile, and how many took less than each bound. A template like
-- clicks.sql.
SELECT
    count() AS found, toInt64(quantileExact(0.5)(took)), toInt64(quantileExact(0.9)(took)),
    [{{range $i, $bound := .Bounds}}{{if $i}}, {{end}}countIf(took < {{$bound}}){{end}}]
FROM
(
    SELECT toUnixTimestamp64Milli(event_time) - toUnixTimestamp64Milli(arrayFilter(
        (touched, verdict) -> verdict = 'valid' AND touched <= event_time, touch_times, touch_verdicts)[{{.Touch}}]) AS took
    FROM conversions FINAL
    WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
        AND arrayExists((touched, verdict) -> verdict = 'valid' AND touched <= event_time, touch_times, touch_verdicts)
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
)
