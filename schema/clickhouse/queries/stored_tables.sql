-- Every table and view of the database, and where their definitions are.
SELECT name, endsWith(engine, 'MergeTree') AS stored, toString(uuid) AS uuid, metadata_path
FROM system.tables
WHERE database = currentDatabase() AND NOT is_temporary
ORDER BY name
