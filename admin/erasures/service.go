package erasures

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ingest"
	"tributary/schema"
	"tributary/schema/database"
)

// Options are what a Service works with.
type Options struct {
	DB         *database.DB
	ClickHouse driver.Conn
	ClickKeys  *attribution.ClickKeyring
	Links      Links
	// Hashes are what intake writes of a customer id or e-mail address.
	Hashes func(advertiserID, customerID string) []string
	// Still runs do while nothing is being copied from the ledger to ClickHouse: what
	// was read before is stored, what is read later was read after do.
	Still func(do func() error) error
	// Shipped returns once every click recorded before the call, on any node, is in
	// ClickHouse or in quarantine.
	Shipped    func(context.Context) error
	Quarantine Quarantine // of this node
	Node       string     // this one's id
	Now        func() time.Time
	Log        *slog.Logger
}

// Links finds whose a click is.
type Links interface {
	LinkByNumber(ctx context.Context, scope catalog.Scope, number uint64) (catalog.Link, error)
}

// A Quarantine holds click records that could not be shipped.
type Quarantine interface {
	Rewrite(ctx context.Context, change func(*ingest.QuarantineEntry) bool) (int, error)
}

// A Service erases persons.
type Service struct {
	o    Options
	wake chan struct{}
	turn chan struct{} // held by who works on an erasure
}

// New makes a Service; Run does what was begun.
func New(o Options) *Service {
	return &Service{o: o, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

// A Subject says who is to be erased.
type Subject struct {
	AdvertiserID string `json:"advertiser_id,omitempty" doc:"Whose customer; required with customer_id and customer_hash"`
	CustomerID   string `json:"customer_id,omitempty" doc:"A customer id or an e-mail address, as the shop reported it"`
	CustomerHash string `json:"customer_hash,omitempty" doc:"What is kept of a customer id: h_ and 32 digits, as the quarantine shows it"`
	ClickID      string `json:"click_id,omitempty" doc:"A click of the visitor: everything under the same visitor hash goes"`
	DryRun       *bool  `json:"dry_run,omitempty" doc:"Only count; true by default"`
}

// An Erasure is one person's, as far as it is done.
type Erasure struct {
	ID           string               `json:"id,omitempty" doc:"None of a dry run"`
	AdvertiserID string               `json:"advertiser_id"`
	Kind         string               `json:"kind" doc:"customer or visitor"`
	State        string               `json:"state" doc:"dry_run, pending or done"`
	Found        map[string]int64     `json:"found" doc:"What held something of the person, by store"`
	Problem      *string              `json:"problem" doc:"Why it is not done yet; it is tried again"`
	RequestedAt  attribution.Instant  `json:"requested_at" doc:"What was received up to then is erased"`
	DoneAt       *attribution.Instant `json:"done_at"`

	person
}

// A person is who is looked for.
type person struct {
	hashes  []string // what stands for a customer
	standIn string   // what comes in their place
	clicks  []string // of the person, as far as SQL knows them
}

// The kinds and states of erasures.
const (
	kindCustomer = "customer"
	kindVisitor  = "visitor"
	stateDryRun  = "dry_run"
	statePending = "pending"
	stateDone    = "done"
)

const prefixErasure = "era_"

var customerHash = regexp.MustCompile(`^h_[0-9a-f]{32}$`)

// Erase erases a person, or counts what there is of it. What is in SQL is erased
// when it returns, the rest as soon as it can be.
func (s *Service) Erase(ctx context.Context, scope catalog.Scope, asked Subject) (Erasure, error) {
	e, err := s.sought(ctx, scope, asked)
	if err != nil {
		return Erasure{}, err
	}
	if asked.DryRun == nil || *asked.DryRun {
		e.State = stateDryRun
		return *e, s.count(ctx, e)
	}
	e.State = statePending
	if e.ID, err = newID(e.RequestedAt); err != nil {
		return Erasure{}, err
	}
	if e.standIn, err = drawName(); err != nil {
		return Erasure{}, err
	}
	if err := s.o.Still(func() error { return s.eraseFromLedger(ctx, scope, e) }); err != nil {
		return Erasure{}, err
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return *e, nil
}

// sought is the erasure that was asked for, before anything is done.
func (s *Service) sought(ctx context.Context, scope catalog.Scope, asked Subject) (*Erasure, error) {
	e := &Erasure{AdvertiserID: asked.AdvertiserID, Kind: kindCustomer, Found: map[string]int64{}, RequestedAt: attribution.InstantOf(s.o.Now())}
	var check attribution.Checker
	ways := 0
	for _, given := range []string{asked.CustomerID, asked.CustomerHash, asked.ClickID} {
		if strings.TrimSpace(given) != "" {
			ways++
		}
	}
	check.Require(ways == 1, "body", "must have one of customer_id, customer_hash and click_id")
	check.Require(asked.ClickID != "" || asked.AdvertiserID != "", "body.advertiser_id", "must be given: a customer is an advertiser's")
	check.Require(asked.CustomerHash == "" || customerHash.MatchString(asked.CustomerHash), "body.customer_hash", "must be h_ and 32 digits")
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case asked.ClickID != "":
		return e, s.visitorOf(ctx, scope, e, asked)
	case asked.CustomerHash != "":
		e.hashes = []string{asked.CustomerHash}
	default:
		e.hashes = s.o.Hashes(asked.AdvertiserID, asked.CustomerID)
	}
	return e, nil
}

// visitorOf names the advertiser of a click.
func (s *Service) visitorOf(ctx context.Context, scope catalog.Scope, e *Erasure, asked Subject) error {
	unknown := attribution.Refuse(attribution.CodeNotFound, "there is no click %.64q", asked.ClickID)
	token, err := s.o.ClickKeys.OpenClickID(asked.ClickID)
	if err != nil {
		return unknown
	}
	link, err := s.o.Links.LinkByNumber(ctx, scope, token.Link)
	if err != nil {
		return err
	}
	if asked.AdvertiserID != "" && asked.AdvertiserID != link.AdvertiserID {
		return unknown
	}
	e.Kind, e.AdvertiserID, e.clicks = kindVisitor, link.AdvertiserID, []string{asked.ClickID}
	return nil
}

// count says how much there is of a person, and changes nothing.
func (s *Service) count(ctx context.Context, e *Erasure) error {
	if err := s.countLedger(ctx, e); err != nil {
		return err
	}
	if err := s.countTexts(ctx, e); err != nil {
		return err
	}
	visits, err := s.visits(ctx, e, nil)
	if err != nil {
		return attribution.Refuse(admin.CodeBusy, "the person's clicks cannot be counted while ClickHouse does not answer; without dry_run the erasure begins and is finished once it does")
	}
	if len(visits) > 0 {
		e.Found["clicks"] = int64(len(visits))
	}
	return nil
}

// A step is a part of an erasure that can be done again.
type step struct {
	name string
	do   func(context.Context, *Erasure) error
}

// steps are what is done behind the ledger, in this order: clicks are found before
// the rows that tell of them are emptied.
func (s *Service) steps() []step {
	return []step{
		{"replace texts", s.eraseTexts},
		{"wait for clicks", s.awaitClicks},
		{"find clicks", s.findClicks},
		{"rewrite quarantined clicks", s.eraseQuarantinedClicks},
		{"wait for other nodes", s.awaitNodes},
		{"empty clicks", s.eraseClicks},
		{"rename conversions", s.eraseConversions},
		{"look again", s.finish},
	}
}

// awaitClicks waits until clicks and conversions from before the erasure are where they
// are looked for: on every replica, whichever is asked.
func (s *Service) awaitClicks(ctx context.Context, _ *Erasure) error {
	ctx, cancel := context.WithTimeout(ctx, shipTimeout)
	defer cancel()
	if err := s.o.Shipped(ctx); err != nil {
		return fmt.Errorf("clicks recorded before are not in ClickHouse yet: %w", err)
	}
	return schema.SyncReplicas(ctx, s.o.ClickHouse, "clicks", "conversions")
}

// The waits of Run.
const (
	workInterval = 5 * time.Second
	stepTimeout  = 5 * time.Minute
	shipTimeout  = 30 * time.Second
	maxPending   = 1_000 // worked on in one turn
)

// Run finishes erasures that were begun, those of an earlier life too.
func (s *Service) Run(ctx context.Context) {
	for {
		if err := s.work(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("erasures are not read; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-time.After(workInterval):
		}
	}
}

// work goes through every pending erasure once. What one fails on is kept with it.
func (s *Service) work(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	pending, err := s.read(ctx, "erasure.pending", maxPending)
	if err != nil {
		return err
	}
	for i := range pending {
		e := &pending[i]
		for _, step := range s.steps() {
			if err = s.try(ctx, e, step); err != nil {
				break
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if err := s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
			_, err := tx.Exec(ctx, "erasure.stuck", e.ID, err.Error())
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) try(ctx context.Context, e *Erasure, step step) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if err := step.do(ctx, e); err != nil {
		return fmt.Errorf("%s: %w", step.name, err)
	}
	return nil
}

// finish looks once more for what was received up to the erasure. Only when nothing
// is found the erasure is done, and what was looked for forgotten. A customer who
// came back meanwhile is found no more by then than anybody else.
func (s *Service) finish(ctx context.Context, e *Erasure) error {
	rows, err := s.rowsOf(ctx, s.o.DB, e, 0)
	if err != nil {
		return err
	}
	visits, err := s.visits(ctx, e, nil)
	if err != nil {
		return err
	}
	stored, err := s.storedConversions(ctx, e)
	if err != nil {
		return err
	}
	if left := len(rows.conversions) + len(rows.quarantine) + len(visits) + len(stored); left > 0 {
		return fmt.Errorf("%d conversions, %d reports in quarantine, %d clicks and %d conversions in ClickHouse are left",
			len(rows.conversions), len(rows.quarantine), len(visits), len(stored))
	}
	return s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := keepFound(ctx, tx, e); err != nil {
			return err
		}
		for _, forget := range []string{"erasure.forget_clicks", "erasure.forget_nodes"} {
			if _, err := tx.Exec(ctx, forget, e.ID); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "erasure.done", e.ID, s.o.Now().UnixMilli())
		return err
	})
}
