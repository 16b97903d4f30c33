package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An experiment measures one promise.
type experiment struct {
	name string
	run  func(context.Context, *bench) error
}

var experiments = []experiment{
	{"redirect", compareRedirects},
	{"fsync", awaitedFsync},
	{"half-load", halfLoad},
	{"disk-hog", diskHog},
	{"backlog", backlog},
	{"product", wholeProduct},
	{"idle", idleMemory},
	{"money", money},
	{"hot-path", hotPath},
	{"spool", spoolAlone},
	{"drain", shipperDrain},
	{"links", tenMillionLinks},
	{"costs", costs},
	{"predict", predict},
	{"two-trackers", twoTrackers},
}

// A bench is what experiments share.
type bench struct {
	binary   string
	scratch  string
	duration time.Duration // of one run of a generator
	rounds   int           // runs of each server, alternating
	product  time.Duration // of the whole-product run
	report   report
	cleanUps []func()
}

// atEnd has something cleaned up before the bench ends, the last one first.
func (b *bench) atEnd(do func()) { b.cleanUps = append(b.cleanUps, do) }

func (b *bench) cleanUp() {
	for _, do := range slices.Backward(b.cleanUps) {
		do()
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	var names []string
	for _, e := range experiments {
		names = append(names, e.name)
	}
	only := flag.String("only", "", "comma-separated experiments: "+strings.Join(names, ", "))
	results := flag.String("results", "bench/results", "directory of the results")
	from := flag.String("from", "", "results of an earlier run, for predictions, or for -scaling ("+figuresFile+" by default there)")
	document := flag.String("scaling", "", "write docs/scaling.md from the results of -from, instead of measuring")
	b := &bench{}
	flag.StringVar(&b.binary, "binary", "bin/tributary", "the tributary to measure")
	flag.DurationVar(&b.duration, "duration", 10*time.Second, "length of one run")
	flag.DurationVar(&b.product, "product-duration", time.Minute, "length of the whole-product run")
	flag.IntVar(&b.rounds, "rounds", 3, "runs of each server")
	flag.Parse()

	chosen, err := choose(*only, names)
	if err != nil {
		return err
	}
	if err := inRepository(); err != nil {
		return err
	}
	if *document != "" {
		return writeScaling(*document, *from)
	}
	if *from != "" {
		earlier, err := readReport(*from)
		if err != nil {
			return err
		}
		b.report.Costs, b.report.Predictions, b.report.Two = earlier.Costs, earlier.Predictions, earlier.Two
	}
	if err := b.prepare(*results); err != nil {
		return err
	}
	b.atEnd(func() { os.RemoveAll(b.scratch) })
	defer b.cleanUp()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, e := range experiments {
		if !slices.Contains(chosen, e.name) {
			continue
		}
		fmt.Printf("\n== %s\n", e.name)
		b.report.experiment = e.name
		if err := e.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return b.save(*results)
}

func choose(only string, names []string) ([]string, error) {
	if only == "" {
		return names, nil
	}
	chosen := strings.Split(only, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("-only %s: there are %s", name, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// prepare checks that everything the experiments start is there.
func (b *bench) prepare(results string) error {
	var missing []error
	for tool, install := range map[string]string{"nginx": "apt-get install nginx-core", "wrk": "apt-get install wrk", "taskset": "apt-get install util-linux"} {
		if _, err := findTool(tool); err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: %s", tool, install))
		}
	}
	if _, err := os.Stat(b.binary); err != nil {
		missing = append(missing, fmt.Errorf("%s is missing: make build", b.binary))
	}
	if runtime.NumCPU() < 2 {
		missing = append(missing, errors.New("two cores are needed, one for the server and one for the generator"))
	}
	if err := errors.Join(missing...); err != nil {
		return err
	}
	var err error
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if err := os.MkdirAll(results, 0o755); err != nil {
		return err
	}
	// Beside the results and not in /tmp, which may be memory: the disk is part
	// of what is measured.
	b.scratch, err = os.MkdirTemp(results, "run-")
	if err != nil {
		return err
	}
	b.scratch, err = filepath.Abs(b.scratch)
	return err
}

func (b *bench) save(results string) error {
	b.report.At = time.Now().UTC().Format(time.RFC3339)
	b.report.Machine = machine()
	content, err := json.MarshalIndent(b.report, "", "  ")
	if err != nil {
		return err
	}
	table := b.report.table()
	fmt.Printf("\n%s", table)
	stamp := time.Now().UTC().Format("20060102-150405")
	return errors.Join(
		os.WriteFile(filepath.Join(results, stamp+".json"), append(content, '\n'), 0o644),
		os.WriteFile(filepath.Join(results, stamp+".txt"), []byte(table), 0o644),
	)
}
