package main

import (
	"context"
	"errors"
	"time"

	"tributary/background"
	"tributary/ingest"
	"tributary/schema"
)

// nodeName names this tracker in the rows it ships. It must never change: with
// the spool's own identity, which makes it unique, it says which rows are stored.
const nodeName = "tracker"

// openShipping makes the counts that everything on its way shares.
func (a *app) openShipping(context.Context, appConfig) error {
	a.shipping = ingest.NewMetrics(a.metrics)
	return nil
}

// ship brings clicks from the spool to ClickHouse, once ClickHouse is there and
// its tables are this program's. Until then they wait in the spool.
func (a *app) ship(ctx context.Context, _ appConfig) (err error) {
	if a.quarantine, err = ingest.OpenQuarantine(a.dir.file(quarantineDir), time.Now, a.shipping); err != nil {
		return err
	}
	a.life.onClose("quarantine", a.quarantine.Close)
	a.shipper, err = ingest.NewShipper(ingest.Options{
		Name: "clicks", Node: nodeName, Dir: a.dir.path, Log: a.clicks, Table: ingest.NewClicks(a.clickhouse, a.uniqueWindow()),
		ClickHouse: a.clickhouse, Quarantine: a.quarantine, Metrics: a.shipping, Logger: a.log,
	})
	if err != nil {
		return err
	}
	if a.engine == nil {
		looking, cancel := context.WithTimeout(ctx, ageLook)
		err := a.shipper.CheckAge(looking)
		cancel()
		if errors.Is(err, ingest.ErrOlderLog) {
			return a.olderClicks(err)
		} // else it is away, or new: it is asked again
	}
	a.life.background("retention", a.keepRetention)
	a.life.background("shipper", func(ctx context.Context) {
		if !a.migrateClickHouse(ctx) || !a.clicksAreNewer(ctx) {
			return
		}
		close(a.migrated)
		if err := a.shipper.Run(ctx); err != nil {
			a.failed <- err
		}
	})
	return nil
}

// clicksAreNewer waits for ClickHouse to say that the spool is not older than what
// was shipped from it; it reports false when ctx ended first. An older one ends the
// app, before anything is shipped.
func (a *app) clicksAreNewer(ctx context.Context) bool {
	older := false
	a.until(ctx, ageAgain, "ClickHouse does not say how far it has this node's clicks; they wait in the spool", func(ctx context.Context) error {
		err := a.shipper.CheckAge(ctx)
		if older = errors.Is(err, ingest.ErrOlderLog); older {
			a.failed <- a.olderClicks(err)
			return nil
		}
		return err
	})
	return !older && ctx.Err() == nil
}

// keepRetention has ClickHouse keep clicks for another time whenever a reload says so.
func (a *app) keepRetention(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-a.migrated:
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.retention:
			a.until(ctx, maxMigrationWait, "ClickHouse still keeps clicks for as long as before; it is told again", func(ctx context.Context) error {
				return schema.ApplyRetention(ctx, a.clickhouse, a.inForce.Load().ClickRetentionMonths)
			})
		}
	}
}

// retentionChanged tells keepRetention so.
func (a *app) retentionChanged() {
	select {
	case a.retention <- struct{}{}:
	default: // it has not looked yet
	}
}

func (a *app) olderClicks(err error) error { return olderSpool(err, a.dir.file(spoolDir), "clicks") }

// The waits between attempts to migrate ClickHouse, and to ask it about the spool.
const (
	ageAgain           = time.Second
	firstMigrationWait = 100 * time.Millisecond
	maxMigrationWait   = 10 * time.Second
)

// migrateClickHouse tries until it works; it reports false when ctx ended first. The
// same failure is logged once. An embedded ClickHouse of another version ends the
// app: nobody can mend it but by another program. A server of the operator's may be
// ahead for a while, when nodes are upgraded one by one.
func (a *app) migrateClickHouse(ctx context.Context) (migrated bool) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	failed := func(err error) { a.log.Warn("ClickHouse is not ready; clicks wait in the spool", "error", err) }
	pace := background.Pace{Every: firstMigrationWait, Most: maxMigrationWait}
	background.Repeat(ctx, pace, failed, func(ctx context.Context) (more bool, err error) {
		if err = schema.MigrateClickHouse(ctx, a.clickhouse); err == nil {
			err = schema.ApplyRetention(ctx, a.clickhouse, a.options.ClickRetentionMonths)
		}
		switch {
		case err == nil:
			a.log.Info("ClickHouse is ready")
			migrated = true
			end()
		case a.engine != nil && errors.Is(err, schema.ErrOtherVersion):
			a.failed <- err
			end()
		}
		return false, err
	})
	return migrated
}
