-- Actions as they are now, newest event first. A template like clicks.sql.
--
-- The filtered columns are read first, and the others only where there are
-- answers: FINAL would read them all. Of the versions of an action the newest is
-- taken. Where a filter is by what changes (.Changing), an older version may
-- answer it and the newest not: then what answers must be the newest, found by the
-- primary key.
{{- define "conditions"}}event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
{{- end}}
{{- define "key"}}advertiser_id, campaign_id, event_time, id{{end}}
SELECT
    id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, order_id, click_id, corrects,
    referral, model, credit, quantity, currency, amount_minor, intended_minor, payout_minor, cost_minor, state, reasons, reversal, notes,
    click_time, event_time, received_at, lock_at, pay_at, locked_at, payable_at, paid_at, reversed_at, payout_id, terms_version, created_at,
    updated_at, seq
FROM actions
PREWHERE {{template "conditions" .}}
{{- if .Changing}}
WHERE (id, seq) IN
(
    SELECT id, max(seq) FROM actions
    WHERE ({{template "key"}}) IN (SELECT {{template "key"}} FROM actions PREWHERE {{template "conditions" .}})
    GROUP BY id
)
{{- end}}
ORDER BY event_time DESC, id DESC, seq DESC
LIMIT 1 BY id
LIMIT {{.Limit}}
