package main

import (
	"fmt"

	"tributary/schema/engine"
)

// engineVerb makes a process the embedded ClickHouse of another that runs
// `serve`. It is not in the help: its arguments and descriptors come from the
// parent, and it is taken before the command line is parsed.
const engineVerb = "engine"

// runEngine is the whole of such a process; it returns the exit code.
func runEngine(args []string) int { return engine.RunChild(args) }

// readersAddressIsFree says at once that --clickhouse-listen is taken. The engine
// itself listens there later, in its own process, and can only be tried again.
func readersAddressIsFree(address string) error {
	if address == "" {
		return nil
	}
	listener, err := listen("clickhouse-listen", address)
	if err != nil {
		return err
	}
	if err := listener.Close(); err != nil {
		return fmt.Errorf("--clickhouse-listen: %w", err)
	}
	return nil
}
