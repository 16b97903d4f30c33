package catalog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// Options are what a Catalog depends on besides its database.
type Options struct {
	BaseURL string           // public origin of tracking links, without a slash at the end
	Pepper  []byte           // keys the hashes of API keys; must stay the same
	Now     func() time.Time // time.Now by default
	Entropy io.Reader        // crypto/rand by default
	Log     *slog.Logger     // discards by default
	// BudgetChanged is called inside the transaction that changed a campaign's
	// budget, its creators' maximum or its margins, with a context that carries it;
	// by default nobody is.
	BudgetChanged func(ctx context.Context, campaignID string) error
	// PostChanged is called inside the transaction that made, judged, corrected or
	// measured a post; by default nobody is.
	PostChanged func(ctx context.Context, scope Scope, postID string) error
}

// A Catalog keeps the things. It is safe for concurrent use.
type Catalog struct {
	db        *database.DB
	baseURL   string
	pepper    []byte
	now       func() time.Time
	log       *slog.Logger
	entropy   entropy
	followers followers

	budgetChanged func(ctx context.Context, campaignID string) error
	postChanged   func(ctx context.Context, scope Scope, postID string) error

	keys     keyCache
	inFlight inFlight
}

// New makes a Catalog on an open database.
func New(db *database.DB, o Options) *Catalog {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BudgetChanged == nil {
		o.BudgetChanged = func(context.Context, string) error { return nil }
	}
	if o.PostChanged == nil {
		o.PostChanged = func(context.Context, Scope, string) error { return nil }
	}
	return &Catalog{
		db: db, baseURL: strings.TrimSuffix(o.BaseURL, "/"), pepper: o.Pepper, now: o.Now, log: o.Log,
		entropy: entropy{source: o.Entropy}, budgetChanged: o.BudgetChanged, postChanged: o.PostChanged,
	}
}

func (c *Catalog) instant() attribution.Instant { return attribution.InstantOf(c.now()) }

// A writing is one write transaction of the catalog. Its number is the first
// change number it was given; taking it is the first thing a writing does, so
// that writers of PostgreSQL queue there and numbers have the order of commits.
type writing struct {
	*database.Tx
	c      *Catalog
	scope  Scope
	at     attribution.Instant
	number int64
}

func (c *Catalog) write(ctx context.Context, scope Scope, do func(ctx context.Context, w *writing) error) error {
	return c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		w := &writing{Tx: tx, c: c, scope: scope, at: c.instant()}
		var err error
		if w.number, err = w.take(ctx, "change", 1); err != nil {
			return err
		}
		return do(ctx, w)
	})
}

// take draws n numbers from a counter and returns the first.
func (w *writing) take(ctx context.Context, counter string, n int) (first int64, err error) {
	var last int64
	if err := w.Row(ctx, "number.take", int64(n), counter).Scan(&last); err != nil {
		return 0, fmt.Errorf("catalog: taking numbers: %w", err)
	}
	return last - int64(n) + 1, nil
}

// announce tells followers of the feed, once the writing has committed.
func (w *writing) announce() { w.OnCommit(w.c.followers.notify) }

// An entropy source shared by goroutines.
type entropy struct {
	mu     sync.Mutex
	source io.Reader
}

func (e *entropy) fill(b []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := io.ReadFull(e.source, b); err != nil {
		return fmt.Errorf("catalog: drawing entropy: %w", err)
	}
	return nil
}

// text draws n characters of an alphabet, each equally likely.
func (e *entropy) text(alphabet string, n int) (string, error) {
	out := make([]byte, 0, n)
	fair := 256 - 256%len(alphabet) // bytes from here on would favour the first characters
	var raw [64]byte
	for len(out) < n {
		if err := e.fill(raw[:]); err != nil {
			return "", err
		}
		for _, b := range raw {
			if int(b) < fair && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}

func (c *Catalog) newID(prefix string, at attribution.Instant) (string, error) {
	var unique [10]byte
	if err := c.entropy.fill(unique[:]); err != nil {
		return "", err
	}
	return attribution.MakeID(prefix, int64(at), unique), nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// notFound is said of what does not exist and of what belongs to another alike.
func notFound(thing, id string) error {
	return attribution.Refuse(attribution.CodeNotFound, "there is no %s %.64q", thing, id)
}

func forbidden(scope Scope, what string) error {
	if scope.Role == "" {
		return attribution.Refuse(attribution.CodeForbidden, "only a key may %s", what)
	}
	return attribution.Refuse(attribution.CodeForbidden, "a key of role %s may not %s", scope.Role, what)
}

func conflict(format string, args ...any) error {
	return attribution.Refuse(attribution.CodeConflict, format, args...)
}

// encode writes fields as they are stored.
func encode(fields any) (string, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return "", fmt.Errorf("catalog: encoding fields: %w", err)
	}
	return string(text), nil
}

func decode(text string, fields any) error {
	if err := json.Unmarshal([]byte(text), fields); err != nil {
		return fmt.Errorf("catalog: decoding stored fields: %w", err)
	}
	return nil
}

func orZero(at *attribution.Instant) int64 {
	if at == nil {
		return 0
	}
	return int64(*at)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func isNot(err, target error) bool { return err != nil && !errors.Is(err, target) }
