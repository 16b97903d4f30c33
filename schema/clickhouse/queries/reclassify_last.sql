-- The number of the last step that ClickHouse knows of.
SELECT greatest(
    (SELECT max(corrected) FROM clicks_15m), (SELECT max(corrected) FROM campaign_clicks_15m), (SELECT max(step) FROM click_changes))
