-- Figures by up to three groupings and currency, of clicks, of actions, of posts,
-- or of them in the same rows. A template: the fragments come from the fixed lists
-- of package reports, all values are parameters. Where one table answers it is read
-- as it is; rows of several are added up once more.
{{- define "groupings"}}
        {{- range .Groupings}}
        {{.}},
        {{- end}}
{{- end}}
{{- define "figures"}}
        {{- range $i, $figure := .Figures}}
        {{- if $i}},{{end}}
        {{$figure}}
        {{- end}}
{{- end}}
{{- define "period"}}
        {{.Time}} >= { {{- .From}}:DateTime64(3, 'UTC')} AND {{.Time}} < { {{- .To}}:DateTime64(3, 'UTC')}
        {{- range .Conditions}}
        AND {{.}}
        {{- end}}
{{- end}}

{{- /* Of clicks, themselves or summed; and of the orders that several actions share. */ -}}
{{- define "plain"}}
    SELECT
        {{- template "groupings" .}}
        {{- template "figures" .}}
    FROM {{.Table}}
    WHERE
        {{- template "period" .}}
    GROUP BY {{.GroupBy}}
{{- end}}

{{- /* Of actions: first by what they are, so that few rows are told apart. An entry
       takes its action out of one state and puts it into another. */ -}}
{{- define "actions"}}
    SELECT
        {{- range .Names}}
        {{.}},
        {{- end}}
        {{- template "figures" .}}
    FROM
    (
    {{- range $i, $span := .Spans}}
        {{- if $i}}
        UNION ALL
        {{- end}}
        SELECT
            {{- template "groupings" .}}
            state, referral, {{.OfAgency}} AS of_agency,
            {{- if .Entries}}
            sum(sign) AS n, sum(sign * orders_nano) AS orders, sum(sign * whole_orders) AS whole,
            sum(sign * known_customer) AS known_ones, sum(sign * new_customer) AS new_ones,
            sum(sign * (amount_minor - before * amount_delta)) AS amount,
            sum(sign * (payout_minor - before * payout_delta)) AS payout,
            sum(sign * (cost_minor - before * cost_delta)) AS cost
        FROM entries FINAL
        ARRAY JOIN [1, -1] AS sign, [0, 1] AS before, [to_state, from_state] AS state
            {{- else}}
            sum(actions) AS n, sum(orders_nano) AS orders, sum(whole_orders) AS whole,
            sum(known_customer) AS known_ones, sum(new_customer) AS new_ones,
            sum(amount_minor) AS amount, sum(payout_minor) AS payout, sum(cost_minor) AS cost
        FROM action_sums
            {{- end}}
        WHERE
            {{- template "period" .}}
        GROUP BY {{.GroupBy}}, state, referral
    {{- end}}
    )
    GROUP BY {{.GroupNames}}
{{- end}}

{{- /* Of posts as they were last told of. */ -}}
{{- define "posts"}}
    SELECT
        {{- template "groupings" .}}
        {{- template "figures" .}}
    FROM
    (
        SELECT
            advertiser_id, campaign_id, post_id, any(creator_id) AS creator_id, any(task_id) AS task_id, any(platform) AS platform,
            any(currency) AS currency, argMax(posted_at, version) AS posted, argMax(archived, version) AS is_archived,
            argMax(views, version) AS views, argMax(likes, version) AS likes, argMax(shares, version) AS shares, argMax(comments, version) AS comments
        FROM posts
        {{- if .Told}}
        WHERE {{.Told}}
        {{- end}}
        GROUP BY advertiser_id, campaign_id, post_id
    )
    WHERE is_archived = 0 AND
        {{- template "period" .}}
    GROUP BY {{.GroupBy}}
{{- end}}

{{- define "branch"}}
    {{- if eq .Form "actions"}}{{template "actions" .}}
    {{- else if eq .Form "posts"}}{{template "posts" .}}
    {{- else}}{{template "plain" .}}
    {{- end}}
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
GROUP BY {{.GroupNames}}
{{- end}}
ORDER BY {{.OrderBy}}
LIMIT {{.Limit}}
