-- Clicks by verdict and uniqueness. A template like clicks.sql.
SELECT CAST({{.Key}} AS String), CAST(verdict AS String), is_unique, count()
FROM clicks
WHERE time >= {from:DateTime64(3, 'UTC')} AND time < {to:DateTime64(3, 'UTC')}
    {{- range .Clicks}}
    AND {{.}}
    {{- end}}
GROUP BY {{.Key}}, verdict, is_unique
