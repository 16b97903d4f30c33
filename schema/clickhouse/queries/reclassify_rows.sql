-- Changes the rows of a step's hits. A template: what goes in are numbers and names
-- of reasons. Repeated, it changes nothing.
ALTER TABLE clicks
{{- range $i, $outcome := .Outcomes}}
    {{- if $i}},{{end}}
    UPDATE first_unique = if(first_verdict = '', is_unique, first_unique), first_verdict = if(first_verdict = '', verdict, first_verdict),
        verdict = '{{.Verdict}}', reasons = {{.Reasons}}, is_unique = {{.Unique}}, rules_version = {{$.RulesVersion}}
    WHERE time >= fromUnixTimestamp64Milli({{$.FromMs}}, 'UTC') AND time < fromUnixTimestamp64Milli({{$.ToMs}}, 'UTC')
        AND (node, seq) IN (SELECT node, seq FROM click_changes WHERE step = {{$.Step}} AND outcome = {{.Number}})
{{- end}}
