//go:build !race

package main

// defaultKills is enough to hit every victim at every kind of moment.
const defaultKills = 50
