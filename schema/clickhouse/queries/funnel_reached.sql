-- How far clicks came behind the redirect: landed, named by a conversion, credited,
-- and the state of the action that came furthest. Clicks without a trace there are
-- not told. A template like clicks.sql.
SELECT
    CAST({{.Key}} AS String), CAST(verdict AS String), is_unique, landed, converted, credited, if(credited = 1, '', why) AS reason, state, count()
FROM clicks
INNER JOIN
(
    SELECT
        click_id, max(seen) AS landed, max(named) AS converted, max(won) AS credited, argMax(lost_by, at) AS why,
        ['', 'reversed', 'held', 'pending', 'locked', 'payable', 'paid'][1 + max(rank)] AS state
    FROM
    (
        SELECT click_id, 1 AS seen, 0 AS named, 0 AS won, '' AS lost_by, toDateTime64(0, 3, 'UTC') AS at, 0 AS rank
        FROM landings FINAL
        WHERE click_time >= {from:DateTime64(3, 'UTC')} AND click_time < {to:DateTime64(3, 'UTC')}
            {{- range .Landings}}
            AND {{.}}
            {{- end}}
        UNION ALL
        SELECT touch, 0, 1, outcome = 'credited', CAST(reason AS String), event_time, 0
        FROM conversions FINAL
        ARRAY JOIN touch_ids AS touch, touch_times AS touched, touch_outcomes AS outcome, touch_reasons AS reason
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND touched <= event_time
            AND touched >= {from:DateTime64(3, 'UTC')} AND touched < {to:DateTime64(3, 'UTC')}
            {{- range .Conversions}}
            AND {{.}}
            {{- end}}
        UNION ALL
        SELECT
            click_id, 0, 0, 0, '', toDateTime64(0, 3, 'UTC'),
            transform(CAST(state AS String), ['reversed', 'held', 'pending', 'locked', 'payable', 'paid'], [1, 2, 3, 4, 5, 6], 0)
        FROM actions FINAL
        WHERE click_time >= {from:DateTime64(3, 'UTC')} AND click_time < {to:DateTime64(3, 'UTC')} AND referral != 'adjustment'
            {{- range .Landings}}
            AND {{.}}
            {{- end}}
    )
    GROUP BY click_id
) AS reached USING (click_id)
WHERE time >= {from:DateTime64(3, 'UTC')} AND time < {to:DateTime64(3, 'UTC')}
    {{- range .Clicks}}
    AND {{.}}
    {{- end}}
GROUP BY {{.Key}}, verdict, is_unique, landed, converted, credited, reason, state
