-- How many rows of actions are stored, and between which events: ClickHouse knows
-- it of every part without reading rows.
SELECT count(), min(event_time), max(event_time) FROM actions
