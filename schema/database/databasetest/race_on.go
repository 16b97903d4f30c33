//go:build race

package databasetest

// raced: the race detector watches.
const raced = true
