-- The use of codes: conversions that brought one, whatever was credited. Without a
-- click is one of which no valid click at or before the event is known. A template
-- like clicks.sql.
SELECT
    {{if .ByCode}}upperUTF8(code){{else}}''{{end}} AS name,
    {{if .ByDay}}toString(toDate(event_time, {tz:String})){{else}}''{{end}} AS day,
    {{if .ByCode}}CAST(advertiser_id AS String){{else}}''{{end}} AS advertiser,
    {{if .ByCode}}CAST(argMax(code_campaign, version) AS String){{else}}''{{end}},
    {{if .ByCode}}CAST(argMax(code_creator, version) AS String){{else}}''{{end}},
    {{if .ByCode}}argMax(code_task, version){{else}}''{{end}},
    {{if .ByCode}}CAST(argMax(code_platform, version) AS String){{else}}''{{end}},
    count() AS uses,
    countIf(NOT arrayExists((verdict, touched) -> verdict = 'valid' AND touched <= event_time, touch_verdicts, touch_times)) AS without_click,
    countIf(code_credited = 1) AS credited,
    uniqExactIf(customer, customer != '') AS customers
FROM conversions FINAL
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND code != ''
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
GROUP BY name, day, advertiser
HAVING uses > 0
ORDER BY {{.OrderBy}}, name, day, advertiser
LIMIT {{.Limit}}
