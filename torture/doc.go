// Command torture breaks Tributary in every way it promises to survive, and
// checks that nothing was lost.
//
//	go run ./torture                    # the whole battery, two hours or so
//	go run ./torture -short             # the short form that the tests run, a minute or two
//	go run ./torture -only kill,full    # some experiments
//	go run ./torture -seed 7            # the same draws again
//
// It drives the real binary as an operator does, from outside, and keeps books of
// its own: each click carries a number, and so does each order. What was
// answered is written down with the answer. In the end everything acknowledged
// must be found exactly once, with the answer that was given; what was never
// answered at most once; and nothing that was never sent. Rows, sums, reports, the
// ledger and its copy are held against each other, and the product's own audit must
// agree with them.
//
// An acknowledged click is a complete 302 whose Location has a click id; an
// acknowledged order is one that a complete 200 calls accepted.
//
// It knows Tributary by what it serves and stores, and imports nothing of it.
//
// Reading order: battery.go (what there is and how it is run), journal.go (what was
// answered, and the comparison), crowd.go and counter.go (who sends), server.go and
// clickhouse.go (who is sent to), books.go (the end of an experiment), then one file
// for each experiment.
package main
