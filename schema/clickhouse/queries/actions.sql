-- Actions newest event first, each whole and as it is now. A template like clicks.sql.
--
-- The filtered columns are read first, and whole rows only where there are answers,
-- found by the primary key: FINAL would read them all. Where a filter is by what
-- changes (.Changing), an older version of an action may answer it and the newest
-- not: then it is told whether the newest does. The shards of a cluster find so many each.
SELECT
    argMax(whole, seq),
    {{if .Changing}}argMax({{range $i, $condition := .Conditions}}{{if $i}} AND {{end}}({{$condition}}){{end}}, seq){{else}}toUInt8(1){{end}}
FROM actions
WHERE (event_time, id) IN
(
    SELECT event_time, id FROM actions
    PREWHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
        {{- range .Conditions}}
        AND {{.}}
        {{- end}}
    ORDER BY event_time DESC, id DESC
    LIMIT 1 BY event_time, id
    LIMIT {{.Limit}}
)
GROUP BY event_time, id
ORDER BY event_time DESC, id DESC
LIMIT {{.Limit}}
