package main

import "runtime"

// leastProcs keeps an fsync from stopping everything else: the thread it blocks
// holds a P, and with only one of them nobody gathers the next group commit.
const leastProcs = 2

// raiseProcs gives a process pinned to one core two Ps all the same.
func raiseProcs() {
	if runtime.GOMAXPROCS(0) < leastProcs {
		runtime.GOMAXPROCS(leastProcs)
	}
}
