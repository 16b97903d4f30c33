// Package spool is a durable log: what Append has taken survives kill -9, and
// power loss once it was synced.
//
// # Promises
//
//   - Append puts the record into a memory-mapped ring file, a store and no
//     system call, and returns: the record lives in the kernel's page cache and
//     outlives the process. A background flusher gives it a sequence number,
//     moves it to a segment file and syncs it within Options.SyncWithin. With
//     SyncWithin 0, Append returns after the fsync that covers its record; one
//     fsync serves all who wait.
//   - Append never waits longer than Options.MaxWait. What it refuses is
//     counted in Stats.Unrecorded.
//   - Sequence numbers grow by one in the order of the log. Only synced records
//     are readable, so a number that was handed out means the same record for
//     ever.
//   - Commit is durable before anything is removed.
//   - After a power cut the log holds every record that was synced, once and in
//     order, and some of those that were not, of each shard in order; also
//     after several cuts and kills in any order, in the middle of Open and
//     Close too. What Commit, Sync and Close reported done is done.
//   - A damaged byte costs the record it hits and no other; the loss is a gap
//     in the sequence numbers and counted.
//   - After a failed fsync nothing in that segment is believed: its unsynced
//     records are written to a new one.
//   - A full disk keeps records in the rings, then refuses them, and is
//     recovered from without a restart.
//
// # Files of a directory
//
//	log                 identity and secret, made once
//	lock                held by the process that has the log open
//	ring-NN             records not drained yet, one file per shard; .new while it is made
//	FIRST-EPOCH.segment records from sequence FIRST on; of two that overlap the higher EPOCH counts
//	N.prepared          the next segment, preallocated
//	cursor              the last committed sequence
//	progress            how far fsync got; a hint
//	damaged/            copies of stretches that held no valid record
//
// A file system must do what POSIX says of fsync and rename: what was synced
// stays, a rename happens whole or not at all, and preallocated space reads as
// zeros. Nothing is asked of what was not synced: sectors, sizes and names may
// come through in part and in any order. TestPowerLoss tries this on a
// simulated disk, some thousand times a run, from seeds: -powerloss.seeds N
// tries more of them, -powerloss.seed N one, and tells what happened. A seed
// does the same again but for timers that end at the same nanosecond, in more
// than 99 of 100 runs.
//
// # Memory
//
// Shards × RingBytes of mapped file; a chunk of 256 KiB and one largest record
// for the flusher; for the consumer about the maxBytes of its largest batch; 64
// KiB of time bounds. Nothing grows with the backlog but one small struct per
// segment.
//
// # Reading order
//
// options.go and log.go (a log and its goroutines), append.go,
// ring.go, slots.go, shard.go and gate.go (how a record leaves the process's
// reach, and who waits for what), flush.go, segment.go, frame.go, rotate.go and
// sync.go (how it reaches the disk), read.go, walker.go, times.go, commit.go
// and hold.go (how it is read, and when it may go), open.go, meta.go and
// damaged.go (what is found after a crash), filesystem.go, disk_linux.go and
// disklock.go (the operating system), stats.go.
package spool
