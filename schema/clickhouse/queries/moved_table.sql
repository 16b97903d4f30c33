SELECT toString(uuid), engine, partition_key, create_table_query
FROM system.tables
WHERE database = currentDatabase() AND name = {table:String}
