package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/ingest/spool"
	"tributary/ledger"
	"tributary/redirect/credentials"
	"tributary/redirect/intake"
	"tributary/redirect/intake/fields"
)

// reportsDir holds the spool of what merchants report.
const reportsDir = "conversions"

// The spool of reports is small and slow beside that of clicks: its records are
// long, and each of them waits for the disk.
const (
	reportShards  = 2
	reportSegment = 16 << 20
	reportMaxWait = 2 * time.Second
)

// What the spools leave free of the disk, in bytes. A disk that clicks filled to the
// brim would have no room for the databases to take them away. Orders may go further:
// they are few, and money.
const (
	clicksKeepFree  = 512 << 20
	reportsKeepFree = 384 << 20
)

// openReports opens the spool of what merchants report. A report is answered for
// once it is on disk, whatever clicks wait for.
func (a *app) openReports(context.Context, appConfig) (err error) {
	a.reports, err = spool.Open(spool.Options{
		Dir: a.dir.file(reportsDir), SyncWithin: 0, MaxWait: reportMaxWait, Shards: reportShards, SegmentBytes: reportSegment,
		MaxRecordBytes: intake.MaxRecordBytes, KeepFreeBytes: reportsKeepFree, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.life.onClose("conversions spool", a.reports.Close)
	a.shipping.Watch("conversions", a.unsettledFor, func() uint64 { return a.reports.Stats().Pending })
	return nil
}

// unsettledFor is the age of the oldest report that is not settled.
func (a *app) unsettledFor() time.Duration {
	oldest := a.reports.OldestPending()
	if oldest.IsZero() {
		return 0
	}
	return max(0, time.Since(oldest))
}

// settle settles reports as they come, and does what time brings.
func (a *app) settle(ctx context.Context, _ appConfig) error {
	a.settler = ledger.NewSettler(a.money, reportLog{a.reports}, ledger.SettlerOptions{Log: a.log})
	if err := a.checkReports(ctx); err != nil {
		return err
	}
	a.life.background("settler", func(ctx context.Context) {
		if err := a.settler.Run(ctx); err != nil && !errors.Is(err, spool.ErrClosed) {
			a.failed <- fmt.Errorf("settle conversions: %w", a.olderReports(err))
		}
	})
	a.life.background("forgetting", a.forgetOld)
	if a.options.Admin {
		a.scheduled("life cycle", a.passTime)
		a.scheduled("pay per click", a.payClicks)
		a.scheduled("conversion rates", a.lookAtRates)
	}
	return nil
}

// ageLook bounds how long a start waits to hear whether a spool is older than what
// was taken out of it.
const ageLook = 2 * time.Second

// checkReports refuses a spool of reports that is older than what was settled from
// it, before anything is acknowledged into it. While the database is away nobody
// knows; the settler asks again then.
func (a *app) checkReports(ctx context.Context) error {
	if a.db.Problem() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ageLook)
	defer cancel()
	if _, err := a.settler.Check(ctx); errors.Is(err, ledger.ErrOlderLog) {
		return a.olderReports(err)
	}
	return nil
}

// olderReports adds to the error what to do.
func (a *app) olderReports(err error) error {
	if !errors.Is(err, ledger.ErrOlderLog) {
		return err
	}
	return olderSpool(err, a.dir.file(reportsDir), "orders")
}

// olderSpool says what to do with a spool that was restored from a backup while the
// database that it was emptied into lived on.
func olderSpool(err error, dir, what string) error {
	return fmt.Errorf("%w: it was restored from a backup, or is a copy of a node that went on. What it held then has been handed on; "+
		"new %s in it would be taken for those and be lost. Stop this node, move %s away (keep it) and start: a new one is made", err, what, dir)
}

// How often the ledger is asked whether something is due, and how often it looks
// even though nothing seems to be.
const (
	lifeInterval = time.Second
	lifeAnyway   = time.Minute
)

// passTime does what becomes due. The same failure is logged once. Two nodes may do
// it at once: each action is read again inside of the transaction that moves it, in
// its turn.
func (a *app) passTime(ctx context.Context) {
	var next attribution.Instant // when something was due, as last seen
	var looked time.Time
	said := ""
	for {
		now := attribution.InstantOf(a.now())
		due, err := a.money.NextDue(ctx)
		if err == nil && (due != 0 && due <= now || next != 0 && next <= now || time.Since(looked) >= lifeAnyway) {
			looked = time.Now()
			if err = a.money.Tick(ctx); err == nil {
				due, err = a.money.NextDue(ctx)
			}
		}
		if next = due; err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			a.log.Warn("what is due could not be done; it is tried again", "error", err)
		} else if err == nil {
			said = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lifeInterval):
		}
	}
}

// settledPoll is how often settled looks.
const settledPoll = 2 * time.Millisecond

// settled returns once every report that was acknowledged before the call is
// settled.
func (a *app) settled(ctx context.Context) error {
	acknowledged := a.reports.Stats().Appended
	for {
		position, err := a.money.Position(ctx, a.reports.Identity())
		if err != nil || position >= acknowledged {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settledPoll):
		}
	}
}

// measureMoney counts what became of reports.
func (a *app) measureMoney() {
	for _, status := range []string{ledger.Accepted, ledger.Duplicate, ledger.Conflict, ledger.Rejected} {
		a.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tributary_reports_settled_total", Help: "Conversions, refunds and landings settled, by what became of them.",
			ConstLabels: prometheus.Labels{"status": status},
		}, func() float64 { return float64(a.settler.Counts()[status]) }))
	}
}

// budgetChanged is the ledger's part of a change of a campaign's budget.
func (a *app) budgetChanged(ctx context.Context, campaignID string) error {
	return a.money.CampaignBudgetChanged(ctx, campaignID)
}

// postChanged is the ledger's part of a change of a post.
func (a *app) postChanged(ctx context.Context, scope catalog.Scope, postID string) error {
	return a.money.PostChanged(ctx, ledger.Scope(scope), postID)
}

// openIntake makes the part of the tracker that merchants talk to.
func (a *app) openIntake() (*intake.Intake, error) {
	key, err := a.secrets.customerKey()
	if err != nil {
		return nil, err
	}
	store := credentials.NewStore(a.secrets.KeyPepper)
	follower := credentials.Follow(store, a.things, a.things.Changed(), a.log)
	sealing, err := a.secrets.credentialsKey()
	if err != nil {
		return nil, err
	}
	if err := follower.Keep(filepath.Join(a.dir.file(linksDir), credentialsFile), sealing); err != nil {
		return nil, err
	}
	a.life.background("credentials", follower.Run)
	return intake.New(intake.Options{
		Credentials: store, Advertisers: a.index, Log: a.reports, Waiter: settledReports{a.settler}, CustomerKey: key, Now: a.now,
		Registerer: a.metrics, Logger: a.log,
	})
}

// newReader reads reports that do not come by the tracker.
func (a *app) newReader() (*fields.Reader, error) {
	key, err := a.secrets.customerKey()
	if err != nil {
		return nil, err
	}
	return fields.NewReader(key, a.now), nil
}

// customerKey keys the hashes that customer ids are kept as. It follows from the
// pepper of API keys, which never changes either.
func (s *secrets) customerKey() ([]byte, error) {
	key, err := hkdf.Key(sha256.New, s.KeyPepper, nil, "tributary customer ids", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of customer ids: %w", err)
	}
	return key, nil
}

// credentialsFile is a copy of who may report, beside that of the links.
const credentialsFile = "credentials.snapshot"

// credentialsKey seals that copy.
func (s *secrets) credentialsKey() ([]byte, error) {
	key, err := hkdf.Key(sha256.New, s.KeyPepper, nil, "tributary credentials at rest", credentials.KeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the credentials' copy: %w", err)
	}
	return key, nil
}

// A reportLog is the conversions spool as the settler sees it.
type reportLog struct{ *spool.Log }

// maxReportBatch bounds what the settler reads at once, in bytes.
const maxReportBatch = 8 << 20

// Appended implements ledger.ReportLog.
func (l reportLog) Appended() uint64 { return l.Stats().Appended }

// Next implements ledger.ReportLog.
func (l reportLog) Next(ctx context.Context, most int) (records [][]byte, sequences []uint64, through uint64, err error) {
	batch, err := l.Log.Next(ctx, most, maxReportBatch)
	if err != nil {
		return nil, nil, 0, err
	}
	sequences = make([]uint64, len(batch.Records))
	for i := range sequences {
		sequences[i] = batch.Sequence(i)
	}
	return batch.Records, sequences, batch.Last, nil
}

// settledReports are the settler's results as intake answers with them.
type settledReports struct{ *ledger.Settler }

// Wait implements intake.Waiter.
func (s settledReports) Wait(ctx context.Context, receiptIDs []string, admin bool) []intake.Settled {
	scope := ledger.Scope{}
	if admin {
		scope.Role = ledger.RoleAdmin
	}
	results := s.Settler.Wait(ctx, receiptIDs)
	settled := make([]intake.Settled, len(results))
	for i, r := range results {
		r = r.View(scope)
		settled[i] = intake.Settled{
			ReceiptID: r.ReceiptID, Status: r.Status, Code: r.Code, Reason: r.Reason, ConversionID: r.ConversionID,
			Attributed: r.Attributed, Actions: make([]intake.Action, len(r.Actions)),
		}
		for n, action := range r.Actions {
			settled[i].Actions[n] = intake.Action{ID: action.ID, CreatorID: action.CreatorID, Payout: action.Payout, State: action.State}
		}
	}
	return settled
}
