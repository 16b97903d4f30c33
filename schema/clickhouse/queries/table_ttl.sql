SELECT extract(create_table_query, '\\bTTL (.*?)\\s+SETTINGS') AS ttl
FROM system.tables
WHERE database = currentDatabase() AND name = {table:String}
