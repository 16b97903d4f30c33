-- Adds a step's differences to a table of sums, with the step's number. A template:
-- Keys are those of the table.
INSERT INTO {{.Table}} (bucket, {{.Keys}}, hits, clicks, unique_clicks, platform_mismatch, invalid_test, invalid_probe, invalid_prefetch,
    invalid_preview, invalid_bot, invalid_datacenter, invalid_rate, corrected)
SELECT
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket, {{.Keys}}, 0,
    toUInt64(sumIf(sign, verdict = 'valid')),
    toUInt64(sumIf(sign, verdict = 'valid' AND is_unique = 1)),
    toUInt64(sumIf(sign, verdict = 'valid' AND mismatch = 1)),
    toUInt64(sumIf(sign, verdict = 'test')),
    toUInt64(sumIf(sign, verdict = 'probe')),
    toUInt64(sumIf(sign, verdict = 'prefetch')),
    toUInt64(sumIf(sign, verdict = 'preview')),
    toUInt64(sumIf(sign, verdict = 'bot')),
    toUInt64(sumIf(sign, verdict = 'datacenter')),
    toUInt64(sumIf(sign, verdict = 'rate')),
    {step:UInt64}
FROM click_changes
ARRAY JOIN [-1, 1] AS sign, [old_verdict, new_verdict] AS verdict, [old_unique, new_unique] AS is_unique
WHERE step = {step:UInt64}
GROUP BY bucket, {{.Keys}}
ORDER BY bucket, {{.Keys}}
