package main

import "tributary/schema/engine"

// engineVerb makes a process the embedded ClickHouse of another that runs
// `serve`. It is not in the help: its arguments and descriptors come from the
// parent, and it is taken before the command line is parsed.
const engineVerb = "engine"

// runEngine is the whole of such a process; it returns the exit code.
func runEngine(args []string) int { return engine.RunChild(args) }
