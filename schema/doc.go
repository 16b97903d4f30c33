// Package schema owns what is stored: ClickHouse's tables and named queries,
// how they are opened, remote or embedded, and how inserts count once.
//
// What it promises:
//
//   - Migrations only go forward and are never edited: one that was changed
//     after it was applied is refused. Applying them again, after a crash
//     between two statements or from several processes, changes nothing.
//   - The tables are those of a standard ClickHouse server; the embedded engine
//     gets no dialect of its own.
//   - A batch inserted again with the token and the settings of
//     [InsertSettings] counts once, in the table and in its rollups.
//
// Reading order: clickhouse.go (how a store is opened), clickhouse_dsn.go and
// clickhouse_cluster.go (which one, and how statements for one server are run
// on many), clickhouse_migrate.go with clickhouse/migrations,
// clickhouse_queries.go with clickhouse/queries, clickhouse_sums.go (the sums
// of actions), clickhouse_away.go (errors that pass by themselves); for a
// backup clickhouse_freeze.go, for a move clickhouse_move.go. The engine and
// SQL are rooms of their own: engine, database.
package schema
