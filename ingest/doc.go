// Package ingest brings what trackers recorded into ClickHouse, exactly once.
//
// A Shipper reads a durable log (package spool), turns its records into rows of
// one table and inserts them. What it promises:
//
//   - Every record of the log is in the table exactly once, or in quarantine
//     with a typed reason, after any of: kill -9 between any two steps,
//     ClickHouse down for hours, a reply lost after the insert, an insert that
//     was applied in part.
//   - A batch's range of sequence numbers is on disk before its first send. The
//     range is its deduplication token; it is sent again as it was, never cut
//     anew. Only a definite refusal cuts it, and the pieces are on disk before
//     the first of them is sent.
//   - ClickHouse forgets tokens. Before a batch is sent again whose earlier
//     fate is unknown, ClickHouse is asked which of its rows it has.
//   - The log's cursor moves only behind rows that ClickHouse acknowledged and
//     records that are safe in quarantine.
//   - A row ClickHouse refuses keeps no other row from being stored, and a table
//     that refuses everything is not mistaken for bad rows.
//   - Memory is bounded: two batches in flight, one in the making.
//
// (node, seq) names a row's record for ever: the node column is the tracker's
// name and the log's identity.
//
// Reading order: rows.go (a Table: how a record becomes a row) with clicks.go
// and clickblock.go (the one of clicks), shipper.go (the loop), fill.go (a
// batch in the making), claims.go (what is on disk before the first send),
// deliver.go (a batch until every row is somewhere), sink.go, refusal.go and
// backoff.go (ClickHouse, its errors, and waiting for it), older.go and
// pause.go. What is unique: unique.go, warm.go and unique_shared.go. What could
// not be stored: quarantine.go and its kin.
package ingest
