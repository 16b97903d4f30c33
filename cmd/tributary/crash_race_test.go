//go:build race

package main

// defaultKills is smaller here: a process with the race detector starts several
// times as slowly, and what is killed gives it nothing new to see.
const defaultKills = 15
