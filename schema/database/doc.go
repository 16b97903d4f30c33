// Package database keeps what must be transactional, things and money, in SQL:
// SQLite in the data directory, or PostgreSQL for more than one admin node.
//
// It promises that
//
//   - one set of queries serves both. They live by name in queries/*.sql, use
//     $1 parameters, times as BIGINT milliseconds, money as BIGINT minor units
//     and TEXT; numbers come from rows of the table counters;
//   - a committed write is on the disk (SQLite: WAL, synchronous=FULL);
//   - writes of SQLite never fail because another is under way: one connection
//     writes, and writers queue for it;
//   - PostgreSQL may be away, at the start too: what cannot be done fails with an
//     error that is [Unavailable], and goes on when it is back. A write that it
//     undoes for another's sake is tried again;
//   - one process at a time holds a [Lease], whatever their clocks say;
//   - text is compared by its bytes, whatever language a database was made for;
//   - the schema only moves forward: each migration is one transaction, its
//     checksum is recorded, and a changed old one is refused.
//
// [DB.Write] and [DB.View] put their transaction into the context they hand on.
// A Write inside a Write joins it as a savepoint, and a read inside a Write sees
// what was written, so calls compose without passing transactions around.
//
// Reading order: open.go and postgres.go (the two databases), queries.go (named
// queries and how they are filtered), tx.go (reading and writing),
// unavailable.go (which errors pass by themselves), migrate.go, lease.go (who
// does what runs by the clock), snapshot.go and move.go (all of it, elsewhere).
package database
