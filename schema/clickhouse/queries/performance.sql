-- Figures by up to three groupings and currency, of clicks, of actions or of
-- both in the same rows. A template: the fragments come from the fixed lists of
-- package reports, all values are parameters. One table is read as it is; only
-- rows of two tables are added up once more.
{{- define "branch"}}
    SELECT
        {{- range .Groupings}}
        {{.}},
        {{- end}}
        {{- range $j, $figure := .Figures}}
        {{- if $j}},{{end}}
        {{$figure}}
        {{- end}}
    FROM {{.Table}}
    WHERE {{.Time}} >= {from:DateTime64(3, 'UTC')} AND {{.Time}} < {to:DateTime64(3, 'UTC')}
        {{- range .Conditions}}
        AND {{.}}
        {{- end}}
    GROUP BY {{.GroupBy}}
{{- end}}
{{- if eq (len .Branches) 1}}
{{- template "branch" index .Branches 0}}
{{- else}}
SELECT
    {{- range .Names}}
    {{.}},
    {{- end}}
    {{- range $i, $figure := .Figures}}
    {{- if $i}},{{end}}
    sum({{$figure}}_part) AS {{$figure}}
    {{- end}}
FROM
(
{{- range $i, $branch := .Branches}}
    {{- if $i}}
    UNION ALL
    {{- end}}
    {{- template "branch" $branch}}
{{- end}}
)
GROUP BY {{.GroupBy}}
{{- end}}
ORDER BY {{.OrderBy}}
LIMIT {{.Limit}}
