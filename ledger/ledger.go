package ledger

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// Options are what a Ledger depends on besides its database.
type Options struct {
	ClickKeys     *attribution.ClickKeyring // opens the click ids conversions name
	Now           func() time.Time          // time.Now by default
	Entropy       io.Reader                 // crypto/rand by default
	Log           *slog.Logger              // discards by default
	RoutesChanged func()                    // called after a commit that changed what trackers know of a campaign
	PostCutoff    PostCutoff                // the 5th, 00:00 in Singapore, by default
	// CustomerHash is what intake writes of a customer id. Without it no order is
	// known for its creator's own.
	CustomerHash func(advertiserID, id string) string
}

// A Ledger keeps conversions, actions and their entries. It is safe for
// concurrent use.
type Ledger struct {
	db            *database.DB
	clickKeys     *attribution.ClickKeyring
	now           func() time.Time
	log           *slog.Logger
	routesChanged func()
	postCutoff    PostCutoff
	customerHash  func(advertiserID, id string) string

	settling sync.Mutex // held by Settle, for known
	known    *facts

	entropyTurn sync.Mutex
	entropy     *bufio.Reader
}

// New makes a Ledger on an open database.
func New(db *database.DB, o Options) *Ledger {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.RoutesChanged == nil {
		o.RoutesChanged = func() {}
	}
	if o.PostCutoff == (PostCutoff{}) {
		o.PostCutoff = defaultPostCutoff
	}
	return &Ledger{
		db: db, clickKeys: o.ClickKeys, now: o.Now, log: o.Log, routesChanged: o.RoutesChanged, postCutoff: o.PostCutoff,
		customerHash: o.CustomerHash, known: newFacts(), entropy: bufio.NewReader(o.Entropy),
	}
}

func (l *Ledger) instant() attribution.Instant { return attribution.InstantOf(l.now()) }

func (l *Ledger) newID(prefix string, at attribution.Instant) (string, error) {
	var unique [10]byte
	l.entropyTurn.Lock()
	defer l.entropyTurn.Unlock()
	if _, err := io.ReadFull(l.entropy, unique[:]); err != nil {
		return "", fmt.Errorf("ledger: drawing entropy: %w", err)
	}
	return attribution.MakeID(prefix, int64(at), unique), nil
}

// A writing is one write transaction of the ledger. It begins by taking the lock
// of the counter that every writer of the catalog and of the ledger takes first,
// so that writers of PostgreSQL queue there: no campaign's row needs a lock of
// its own, numbers have the order of commits, and nobody waits for another twice.
type writing struct {
	*database.Tx
	l      *Ledger
	scope  Scope // who acts; the zero Scope is the ledger itself
	at     attribution.Instant
	number int64 // the last one drawn
	facts  *facts
	purses map[string]*purse

	erasedThrough int64 // when a customer was erased last, ms; -1: not asked yet

	outcomes map[outcome]int64              // of reports, not kept yet
	keysUsed map[string]attribution.Instant // when reports came by them, not kept yet

	creatorHashes map[string]string // by advertiser and creator
}

// write runs do as one writing. facts is what the writing may remember from
// earlier ones; nil where an outer transaction could still be rolled back.
func (l *Ledger) write(ctx context.Context, scope Scope, known *facts, do func(ctx context.Context, w *writing) error) error {
	if known == nil {
		known = newFacts()
	}
	tried := false
	return l.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		if tried {
			known.forget() // it may have seen what was undone
		}
		tried = true
		w := &writing{Tx: tx, l: l, scope: scope, at: l.instant(), facts: known, purses: map[string]*purse{}, erasedThrough: -1}
		var change, first int64
		if err := w.Row(ctx, "number.take", 0, "change").Scan(&change); err != nil {
			return fmt.Errorf("ledger: waiting for the turn to write: %w", err)
		}
		if err := w.Row(ctx, "number.last", "ledger").Scan(&first); err != nil {
			return fmt.Errorf("ledger: reading the last number: %w", err)
		}
		w.number = first
		if err := w.facts.refresh(ctx, w, change); err != nil {
			return err
		}
		if err := do(ctx, w); err != nil {
			return err
		}
		if err := w.keepPurses(ctx); err != nil {
			return err
		}
		if w.number == first {
			return nil
		}
		return w.Row(ctx, "number.take", w.number-first, "ledger").Scan(&w.number)
	})
}

// next draws a number.
func (w *writing) next() int64 {
	w.number++
	return w.number
}

// tell puts what happened into the outbox.
func (w *writing) tell(ctx context.Context, kind string, payload any) error {
	text, err := encode(payload)
	if err != nil {
		return err
	}
	_, err = w.Exec(ctx, "ledger.tell", w.next(), kind, text)
	return err
}

func encode(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("ledger: encoding: %w", err)
	}
	return string(text), nil
}

func decode(text string, value any) error {
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return fmt.Errorf("ledger: decoding what is stored: %w", err)
	}
	return nil
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
