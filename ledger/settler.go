package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// A ReportLog is the durable log that intake writes reports into. Next waits until
// there are records and returns at most max of them in their order, with the
// sequence number of each and the last one that was covered; lost ones are gaps.
// What it returned is valid until it is called again. Commit says that everything
// through a sequence number is settled and may go. Appended is the last sequence
// number that was given.
type ReportLog interface {
	Identity() string
	Appended() uint64
	Next(ctx context.Context, max int) (records [][]byte, sequences []uint64, through uint64, err error)
	Commit(through uint64) error
}

// SettlerOptions tune a Settler; the zero value is good.
type SettlerOptions struct {
	MaxBatch   int           // reports in one transaction; 500
	MinBackoff time.Duration // after a failure; 50 ms, doubling
	MaxBackoff time.Duration // 5 s
	Log        *slog.Logger
}

// A Settler settles the reports of one log, in order, as they come. It takes what
// is there, up to MaxBatch, in one transaction, and retries for ever while the
// database is down: reports wait in the log.
type Settler struct {
	ledger *Ledger
	log    ReportLog
	o      SettlerOptions
	logger *slog.Logger
	recent *recent
	counts [4]atomic.Int64 // by status
}

// NewSettler makes a settler. Run starts it.
func NewSettler(l *Ledger, log ReportLog, o SettlerOptions) *Settler {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 500
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = 50 * time.Millisecond
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = l.log
	}
	return &Settler{ledger: l, log: log, o: o, logger: o.Log, recent: newRecent()}
}

// ErrOlderLog is returned for a log that ends before what was settled from it, as
// when its disk was restored from a backup while the database lived on. It gives
// numbers to new reports that are settled already: they would be taken for old ones.
var ErrOlderLog = errors.New("ledger: the log of reports is older than what was settled from it")

// Run settles until ctx ends or the log cannot be read; it returns nil when ctx
// ended, and ErrOlderLog before anything is settled.
func (s *Settler) Run(ctx context.Context) error {
	position, err := s.position(ctx)
	for err == nil {
		var records [][]byte
		var sequences []uint64
		var through uint64
		if records, sequences, through, err = s.log.Next(ctx, s.o.MaxBatch); err != nil {
			break
		}
		reports := make([]*attribution.Report, 0, len(records))
		for i, record := range records {
			if sequences[i] > position {
				reports = append(reports, readReport(record))
			}
		}
		if through > position {
			if err = s.settle(ctx, reports, position, through); err != nil {
				break
			}
			position = through
		}
		if err := s.log.Commit(through); err != nil { // the position is in the database: a later commit covers this one
			s.logger.Warn("the log of conversions does not let go of what is settled: it keeps its disk space until it does", "error", err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// readReport reads a record of the log; one that cannot be read becomes a report
// that is rejected, so that it is kept.
func readReport(record []byte) *attribution.Report {
	report, err := attribution.DecodeReport(record)
	if err != nil {
		return &attribution.Report{Kind: attribution.ReportConversion, Rejected: &attribution.Rejection{Code: CodeUnreadable, Reason: err.Error()},
			Raw: quoted(record)}
	}
	return report
}

// position waits for the database to say how far the log is settled.
func (s *Settler) position(ctx context.Context) (position uint64, err error) {
	var older error // no waiting mends it
	err = s.retry(ctx, func() error {
		if position, err = s.Check(ctx); errors.Is(err, ErrOlderLog) {
			older, err = err, nil
		}
		return err
	})
	return position, cmp.Or(older, err)
}

// Check asks once how far the log is settled. ErrOlderLog means that the log must
// take no reports.
func (s *Settler) Check(ctx context.Context) (position uint64, err error) {
	if position, err = s.ledger.Position(ctx, s.log.Identity()); err != nil {
		return 0, err
	}
	if end := s.log.Appended(); position > end { // read last: it only grows
		return position, fmt.Errorf("%w: it ends with report %d, the database has settled it through %d", ErrOlderLog, end, position)
	}
	return position, nil
}

// maxTries is how often a batch is tried before its reports are settled one by
// one, so that a single one that the ledger stumbles over is found. What is the
// database's does not count.
const maxTries = 3

// passing reports whether an error says nothing of what was to be settled: the
// database is away, or has undone the write for another's sake.
func passing(err error) bool { return database.Unavailable(err) || database.Undone(err) }

// settle settles reports that follow a position, whatever it takes.
func (s *Settler) settle(ctx context.Context, reports []*attribution.Report, position, through uint64) error {
	failures := 0
	return s.retry(ctx, func() error {
		if failures >= maxTries {
			return s.settleSingly(ctx, reports, position, through)
		}
		results, err := s.ledger.settleSafely(ctx, Batch{s.log.Identity(), through, reports})
		if err == nil {
			s.tell(results)
		} else if !passing(err) {
			failures++
		}
		return err
	})
}

// settleSingly settles a batch that fails as one, report by report. A report that
// fails where others do not is quarantined.
func (s *Settler) settleSingly(ctx context.Context, reports []*attribution.Report, position, through uint64) error {
	results, err := s.ledger.settleSingly(ctx, Batch{s.log.Identity(), through, reports})
	if err == nil {
		s.tell(results)
	}
	return err
}

// settleSafely is Settle that turns a panic into an error.
func (l *Ledger) settleSafely(ctx context.Context, batch Batch) (results []Settled, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.settling.Lock()
			l.known = newFacts() // it may have seen what was rolled back
			l.settling.Unlock()
			err = fmt.Errorf("ledger: settling panicked: %v", p)
		}
	}()
	return l.Settle(ctx, batch)
}

// settleSingly settles a batch with each report behind a savepoint: what fails is
// undone and quarantined. It is slower than Settle.
func (l *Ledger) settleSingly(ctx context.Context, batch Batch) ([]Settled, error) {
	var results []Settled
	// The turn comes before the position: an earlier commit whose answer was lost may
	// be under way still, and has either ended or come to nothing then.
	err := l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		results = results[:0]
		position, err := l.Position(ctx, batch.Log)
		if err != nil || position >= batch.Through {
			return err
		}
		for _, report := range batch.Reports {
			result, err := l.settleOne(ctx, batch.Log, report)
			if err != nil {
				return err
			}
			results = append(results, result)
		}
		_, err = w.Exec(ctx, "ledger.move_position", batch.Log, int64(batch.Through), int64(w.at))
		return err
	})
	return results, err
}

// settleOne settles a report inside a transaction, or undoes what it began and
// quarantines it.
func (l *Ledger) settleOne(ctx context.Context, log string, report *attribution.Report) (result Settled, err error) {
	try := func() (failed error) {
		return l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panicked: %v", p)
				}
			}()
			if result, err = w.settle(ctx, report, true); err != nil {
				return err
			}
			return w.keepOutcomes(ctx, log)
		})
	}
	failed := try()
	if failed == nil {
		return result, nil
	}
	if passing(failed) { // it is not the report that fails
		return result, failed
	}
	l.log.Error("a report cannot be settled and is in quarantine: replay it after an upgrade", "receipt_id", report.ReceiptID, "error", failed)
	result = Settled{ReceiptID: report.ReceiptID, OrderID: report.Fields.OrderID, Status: Rejected, Code: CodeUnsettleable,
		Reason: "the ledger stumbled over this report: " + failed.Error(), Actions: []ActionBrief{}}
	return result, l.write(ctx, Scope{}, nil, func(ctx context.Context, w *writing) error {
		w.ended(report.Kind, Rejected, CodeUnsettleable)
		return errors.Join(w.quarantine(ctx, report, result), w.keepOutcomes(ctx, log))
	})
}

// retry runs do until it succeeds or ctx ends, waiting longer each time. The same
// failure is logged once.
func (s *Settler) retry(ctx context.Context, do func() error) error {
	said := ""
	for wait := s.o.MinBackoff; ; wait = min(2*wait, s.o.MaxBackoff) {
		err := do()
		if err == nil || ctx.Err() != nil {
			return errors.Join(ctx.Err())
		}
		if err.Error() != said {
			said = err.Error()
			s.logger.Error("conversions cannot be settled and wait in their log: check the database; it is tried again", "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// Counts are how many reports this settler has settled since it was made, by
// status.
func (s *Settler) Counts() map[string]int64 {
	counts := map[string]int64{}
	for i, status := range statuses {
		counts[status] = s.counts[i].Load()
	}
	return counts
}

var statuses = [4]string{Accepted, Duplicate, Conflict, Rejected}

func (s *Settler) tell(results []Settled) {
	for i := range results {
		for n, status := range statuses {
			if results[i].Status == status {
				s.counts[n].Add(1)
			}
		}
	}
	s.recent.add(results)
}
