-- The clicks of a step that can earn now and could not, or the other way round.
SELECT click_id, toUnixTimestamp64Milli(time) AS time_ms, new_verdict
FROM click_changes
WHERE step = {step:UInt64} AND (old_verdict = 'valid') != (new_verdict = 'valid') AND click_id != ''
ORDER BY click_id
