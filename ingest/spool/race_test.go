//go:build race

package spool

// allocationsAwaited: with the race detector a sync.Pool drops things at random.
const allocationsAwaited = 1
