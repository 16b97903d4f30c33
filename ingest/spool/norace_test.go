//go:build !race

package spool

// allocationsAwaited is what an Append that waits for the disk allocates.
const allocationsAwaited = 0

// powerSeedsByDefault is how many seeds of power cuts are simulated when nobody says.
const powerSeedsByDefault = 10_000

// replaysInTen is how many seeds of ten must do exactly the same again.
const replaysInTen = 9

// damageStride 1: every damage is tried.
const damageStride = 1
