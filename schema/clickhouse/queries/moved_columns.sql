-- The columns that an insert gives, in the order of the table.
SELECT name, type, is_in_sorting_key
FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')
ORDER BY position
