// Package engine runs ClickHouse inside Tributary: libchdb, the ClickHouse
// engine as a library, in a supervised child process of the same binary.
//
// [Start] is the parent's side. It starts the child, restarts it with backoff
// when it dies, and hands out connections to it with [Engine.Dial]. [RunChild]
// is the child's side, run by a hidden verb of the binary.
//
// What the package promises:
//
//   - The child speaks ClickHouse's HTTP interface on a unix socket, well
//     enough for clickhouse-go (Protocol: clickhouse.HTTP): query parameters,
//     settings, Native inserts, streamed results, exceptions with their codes.
//   - A crash of the engine never stops the parent; what an insert acknowledged
//     (with fsync_after_insert) is there after the restart.
//   - One engine per directory. The child dies with its parent, however that
//     ends, and a new one waits for an orphan to let go of the directory.
//   - Memory, threads, concurrent queries, bodies and waits are bounded.
//   - Asked to (Options.Listen), it also answers on loopback TCP, for Grafana
//     or any ClickHouse HTTP client. There it only reads tables: it writes
//     nothing, and reads no file and no URL.
package engine
