package main

import "runtime"

// leastProcs keeps what is in the background from stopping everything else. A
// thread that waits in an fsync, or for the core because it gives way, holds a P:
// one for the settler, one for whatever else is behind, and one for requests.
const leastProcs = 3

// raiseProcs raises GOMAXPROCS to leastProcs on machines with fewer cores.
func raiseProcs() {
	if runtime.GOMAXPROCS(0) < leastProcs {
		runtime.GOMAXPROCS(leastProcs)
	}
}
