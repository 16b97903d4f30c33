-- The conversions to be decided under every model: with a narrowing, those that
-- touched it or were credited to it. A template like clicks.sql.
SELECT id
FROM conversions FINAL
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
    {{- if .Touched}}
    AND (arrayExists((campaign, creator, task, platform) -> 1 = 1
        {{- range .Touched}}
        AND {{.}}
        {{- end}}, touch_campaigns, touch_creators, touch_tasks, touch_platforms)
    OR id IN
    (
        SELECT conversion_id FROM actions
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
            {{- range .Credited}}
            AND {{.}}
            {{- end}}
    ))
    {{- end}}
ORDER BY event_time, id
LIMIT {{.Limit}}
