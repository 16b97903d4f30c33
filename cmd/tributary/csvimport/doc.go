// Package csvimport sends a CSV file of conversions to a running Tributary, in
// chunks, over its API.
//
// What it promises:
//
//   - A file of any size takes the memory of one chunk. Its lines are sent as they
//     are: the server reads them as it reads every import.
//   - After a crash, a kill or a lost connection the same command goes on behind
//     the last chunk that was answered. A chunk that is sent again counts once:
//     the server knows its Idempotency-Key, and an order counts once for ever.
//   - Every line that was not taken is in a file beside the CSV, with its number
//     and the reason. Corrected, that file can be imported itself: columns that
//     begin with _ are ignored.
//
// Reading order: cut.go (chunks), send.go (one chunk and its answer), checkpoint.go
// (what is kept beside the file), refused.go, run.go (all of it).
package csvimport
