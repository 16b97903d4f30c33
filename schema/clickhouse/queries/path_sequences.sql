-- The most frequent sequences of platforms or creators before conversions. What
-- another creator did is veiled from a creator who asks. A template like clicks.sql.
SELECT
    arraySlice(arrayCompact(arrayFilter((step, verdict, touched) -> verdict = 'valid' AND touched <= event_time,
        {{if .Veiled}}arrayMap((step, creator) -> if(creator = {creator:String}, CAST(step AS String), '{{.Other}}'), {{.Column}}, touch_creators)
        {{- else}}arrayMap(step -> CAST(step AS String), {{.Column}}){{end}},
        touch_verdicts, touch_times)), -{{.Steps}}) AS path,
    count() AS found
FROM conversions FINAL
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND notEmpty(path)
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
GROUP BY path
ORDER BY found DESC, path
LIMIT {{.Limit}}
