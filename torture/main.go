package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// errOff is the end of a battery whose table says what is off.
var errOff = errors.New("something is off: see the table above")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "torture: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var names []string
	for _, e := range experiments {
		names = append(names, e.name)
	}
	b := &battery{log: os.Stderr}
	only := flag.String("only", "", "comma-separated experiments: "+strings.Join(names, ", "))
	results := flag.String("results", "torture/results", "directory of the results")
	minutes := flag.Float64("minutes", 0, "length of each experiment that lasts, instead of its own")
	flag.StringVar(&b.binary, "binary", "bin/tributary", "the tributary to torture")
	flag.StringVar(&b.library, "engine-library", "", "path of libchdb.so, where the binary does not find it itself")
	flag.Uint64Var(&b.seed, "seed", 0, "seed of every draw; 0: another each time")
	flag.BoolVar(&b.short, "short", false, "the form that the tests run")
	flag.Parse()
	b.length = time.Duration(*minutes * float64(time.Minute))
	if b.seed == 0 {
		b.seed = rand.Uint64()
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if err := b.prepare(*results); err != nil {
		return err
	}
	report := b.run(ctx, chosen)
	if report.Held {
		if err := os.RemoveAll(b.scratch); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(b.log, "logs and data of what broke are left in %s\n", b.scratch)
	}
	fmt.Printf("\n%s", report.table())
	path, err := report.save(*results)
	if err != nil {
		return err
	}
	fmt.Printf("\nwritten to %s\n", path)
	if !report.Held {
		return errOff
	}
	return ctx.Err()
}

// prepare finds the binary and makes a directory for what it stores.
func (b *battery) prepare(results string) (err error) {
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("%s is missing: run 'make build', or name another with -binary", b.binary)
	}
	if b.library, err = findLibrary(b.library); err != nil {
		return err
	}
	if err := os.MkdirAll(results, 0o755); err != nil {
		return err
	}
	// Beside the results and not in /tmp, which may be memory: the disk is part of
	// what is tried.
	if b.scratch, err = os.MkdirTemp(results, "run-"); err != nil {
		return err
	}
	b.scratch, err = filepath.Abs(b.scratch)
	return err
}

// findLibrary is the engine library: the given one, or that of 'make deps'.
func findLibrary(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	for _, root := range []string{".", ".."} {
		found, err := filepath.Glob(filepath.Join(root, "node_modules/@chdb/lib-*/libchdb.*"))
		if err == nil && len(found) > 0 {
			return filepath.Abs(found[0])
		}
	}
	return "", errors.New("the ClickHouse engine library is not installed: run 'make deps' in the repository's root, or name it with -engine-library")
}
