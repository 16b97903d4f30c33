//go:build race

package spool

// allocationsAwaited: with the race detector a sync.Pool drops things at random.
const allocationsAwaited = 1

// powerSeedsByDefault: each takes ten times as long.
const powerSeedsByDefault = 300

// replaysInTen: the race detector has the scheduler choose at random.
const replaysInTen = 0

// damageStride: of the damages tried, each so-manieth is.
const damageStride = 41
