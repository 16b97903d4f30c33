package reclassify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// The states of a run.
const (
	Running = "running"
	Done    = "done"
	Stopped = "stopped" // it cannot go on; what it did stays
)

// A Run is one reclassification, under way or ended.
type Run struct {
	ID           string               `json:"id"`
	State        string               `json:"state" enum:"running,done,stopped" doc:"stopped: it could not go on, and why says so; what it did stays"`
	Why          *string              `json:"why" doc:"Why it stopped"`
	DryRun       bool                 `json:"dry_run"`
	AdvertiserID *string              `json:"advertiser_id" doc:"null: all"`
	From         attribution.Instant  `json:"from"`
	To           attribution.Instant  `json:"to" doc:"What was asked for, or how far clicks were stored"`
	Through      attribution.Instant  `json:"through" doc:"Hits before it are judged"`
	RulesVersion uint32               `json:"rules_version" doc:"Of the rules that judge; a checksum of the lists, so that it does not grow"`
	Figures      Figures              `json:"figures" doc:"Of what is judged so far"`
	CreatedAt    attribution.Instant  `json:"created_at"`
	FinishedAt   *attribution.Instant `json:"finished_at"`
}

// A run is a Run as SQL has it.
type run struct {
	id, keyID, role, advertiserID string
	fromMs, toMs                  int64
	dryRun                        bool
	rulesVersion                  uint32
	state, why                    string
	positionMs                    int64
	found                         *tally
	step                          uint64
	stepToMs                      int64  // 0: no step is under way
	stepFound                     *tally // nil: it is not planned
	createdMs, finishedMs         int64
}

func (r *run) shown() Run {
	shown := Run{
		ID: r.id, State: r.state, DryRun: r.dryRun, From: attribution.Instant(r.fromMs), To: attribution.Instant(r.toMs),
		Through: attribution.Instant(min(r.positionMs, r.toMs)), RulesVersion: r.rulesVersion, Figures: r.found.figures(), CreatedAt: attribution.Instant(r.createdMs),
	}
	if r.why != "" {
		shown.Why = &r.why
	}
	if r.advertiserID != "" {
		shown.AdvertiserID = &r.advertiserID
	}
	if r.finishedMs != 0 {
		at := attribution.Instant(r.finishedMs)
		shown.FinishedAt = &at
	}
	return shown
}

func scanRun(row interface{ Scan(...any) error }) (*run, error) {
	r := &run{}
	var found, stepFound string
	var dryRun int64
	err := row.Scan(&r.id, &r.keyID, &r.role, &r.advertiserID, &r.fromMs, &r.toMs, &dryRun, &r.rulesVersion, &r.state, &r.why, &r.positionMs, &found,
		&r.step, &r.stepToMs, &stepFound, &r.createdMs, &r.finishedMs)
	if err != nil {
		return nil, err
	}
	r.dryRun = dryRun != 0
	if r.found, err = readTally(found); err == nil && stepFound != "" {
		r.stepFound, err = readTally(stepFound)
	}
	return r, err
}

// one reads the run a query finds; nil when there is none.
func (s *Service) one(ctx context.Context, query string, args ...any) (*run, error) {
	r, err := scanRun(s.o.DB.Row(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reclassify: reading a run: %w", err)
	}
	return r, nil
}

// insert begins a run, unless another is under way. Applying is in the audit log.
func (s *Service) insert(ctx context.Context, r *run) error {
	found, err := r.found.text()
	if err != nil {
		return err
	}
	return s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		var change int64
		if err := tx.Row(ctx, "number.take", 1, "change").Scan(&change); err != nil {
			return fmt.Errorf("reclassify: taking a change number: %w", err)
		}
		var last uint64
		if err := tx.Row(ctx, "reclassify.last_step").Scan(&last); err != nil {
			return fmt.Errorf("reclassify: reading the last step: %w", err)
		}
		r.step = max(r.step, last)
		if _, err := tx.Exec(ctx, "reclassify.forget", r.createdMs-keepRunsMs); err != nil {
			return err
		}
		inserted, err := tx.Exec(ctx, "reclassify.insert", r.id, r.keyID, r.role, r.advertiserID, r.fromMs, r.toMs, one(r.dryRun), int64(r.rulesVersion), found, int64(r.step), r.createdMs)
		if err != nil {
			return err
		}
		if inserted == 0 {
			return attribution.Refuse(attribution.CodeConflict, "hits are being reclassified: wait until that run is done; GET /v1/reclassifications shows it")
		}
		if r.dryRun {
			return nil
		}
		asked := []string{"from " + attribution.Instant(r.fromMs).String(), "to " + attribution.Instant(r.toMs).String(), fmt.Sprintf("rules_version %d", r.rulesVersion)}
		_, err = tx.Exec(ctx, "audit.insert", change, r.createdMs, r.keyID, r.role, "reclassify", "click", r.id, r.advertiserID, strings.Join(asked, "\n"))
		return err
	})
}

// errElsewhere ends the work of a process that another has taken the run from.
var errElsewhere = errors.New("another process goes on with the run")

// exec moves a run from the step it is in. Of two processes that work on it one
// does; the other begins again with what is stored.
func (s *Service) exec(ctx context.Context, query string, args ...any) error {
	return s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		moved, err := tx.Exec(ctx, query, args...)
		if err == nil && moved == 0 {
			err = errElsewhere
		}
		return err
	})
}

// list reads the latest runs.
func (s *Service) list(ctx context.Context, limit int) ([]Run, error) {
	rows, err := s.o.DB.Rows(ctx, "reclassify.list", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	runs := []Run{}
	for rows.Next() {
		r, err := scanRun(rows)
		if err != nil {
			return nil, fmt.Errorf("reclassify: reading runs: %w", err)
		}
		runs = append(runs, r.shown())
	}
	return runs, rows.Err()
}

// keepRunsMs is how long a run that ended is remembered.
const keepRunsMs = 400 * 24 * 60 * 60 * 1000

func scopeKey(ctx context.Context) (keyID, role string) {
	scope := admin.ScopeOf(ctx)
	if scope.Role == "" {
		return "", catalog.RoleAdmin // on the machine itself
	}
	return scope.KeyID, scope.Role
}
