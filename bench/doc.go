// Command bench measures Tributary against nginx and against its own promises,
// on loopback, and writes what it found to bench/results as JSON and a table.
//
//	go run ./bench                 # everything
//	go run ./bench -only redirect  # one experiment
//
// docs/scaling.md is computed from what three of them found:
//
//	go run ./bench -only costs,predict,two-trackers
//	go run ./bench -scaling docs/scaling.md -from bench/results/TIME.json
//
// Experiments alternate between the servers compared and report medians, because
// a busy machine drifts. The server is pinned to the first core and the
// generator to the second, so that neither takes the other's time.
//
// Reading order: main.go (the experiments, and how one is run), experiments.go,
// money.go, rooms.go, backlog.go and twotrackers.go (what they do), servers.go,
// stores.go, process.go, forwarder.go and generators.go (who is measured, and
// who loads it), meters.go (what is read of them), costs.go and its kin (what a
// piece of work costs), predict.go (the model held against runs it has not
// seen), report.go and scaling.go (what is written). The model is in capacity.
package main
