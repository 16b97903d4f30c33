package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/ingest"
	"tributary/ingest/spool"
)

type replayCommand struct {
	StoreSettings
	Reason string `help:"Only those quarantined for this reason: undecodable or refused."`
	DryRun bool   `help:"Only say how many there are."`
}

// Help is printed below the verb's first line.
func (replayCommand) Help() string {
	return "Quarantined clicks go back into the spool and are shipped again by the next 'tributary serve'. " +
		"Stop the process that serves the data directory first."
}

// Run puts quarantined click records back into the spool.
func (c *replayCommand) Run(ctx context.Context, t terminal, sources *layers) (err error) {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	dir, err := openDataDir(options.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	quarantine, err := ingest.OpenQuarantine(dir.file(quarantineDir), time.Now, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, quarantine.Close()) }()
	if c.DryRun {
		for reason, n := range quarantine.Counts() {
			fmt.Fprintf(t.Out, "%s: %d\n", reason, n)
		}
		return nil
	}
	clicks, err := spool.Open(spool.Options{Dir: dir.file(spoolDir)}) // without SyncWithin: an append waits for the disk
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clicks.Close()) }()
	replayed, err := quarantine.Replay(ctx, ingest.QuarantineFilter{Source: "clicks", Reason: c.Reason}, func(e ingest.QuarantineEntry) error {
		return clicks.Append(0, e.Record)
	})
	fmt.Fprintf(t.Out, "%d clicks go to ClickHouse with the next start\n", replayed)
	return err
}
