-- Figures by up to three groupings and currency. A template: the fragments come
-- from the fixed lists of package reports, all values are parameters.
SELECT
    {{- range .Groupings}}
    {{.}},
    {{- end}}
    currency,
    {{- range $i, $figure := .Figures}}
    {{- if $i}},{{end}}
    {{$figure}}
    {{- end}}
FROM {{.Table}}
WHERE {{.Time}} >= {from:DateTime64(3, 'UTC')} AND {{.Time}} < {to:DateTime64(3, 'UTC')}
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
GROUP BY {{.GroupBy}}
ORDER BY {{.OrderBy}}
LIMIT {{.Limit}}
