//go:build !race

package spool

// allocationsAwaited is what an Append that waits for the disk allocates.
const allocationsAwaited = 0
