-- The last step whose differences are in a table of sums, of the month a step is in:
-- a month has a step whole or not at all. A template: what goes in is the table.
SELECT max(corrected)
FROM {{.Table}}
WHERE toYYYYMM(bucket) = toYYYYMM(fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC'))
