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
package schema
