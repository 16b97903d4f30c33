package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// CodeIdempotencyMismatch says that an Idempotency-Key came with another request
// before.
const CodeIdempotencyMismatch = "idempotency_mismatch"

// idempotencyAge is how long an answer is kept.
const idempotencyAge = 24 * time.Hour

// inFlight holds the requests that are being done.
type inFlight struct {
	mu   sync.Mutex
	keys map[[2]string]bool
}

func (f *inFlight) enter(key [2]string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[key] {
		return false
	}
	if f.keys == nil {
		f.keys = map[[2]string]bool{}
	}
	f.keys[key] = true
	return true
}

func (f *inFlight) leave(key [2]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key)
}

// Idempotent does a request once. The same key and hash of the same API key
// within 24 hours get the first answer again (replayed); another hash is a
// Problem with CodeIdempotencyMismatch, a request that is still being done one
// with CodeConflict.
//
// do runs inside the transaction that stores its answer, as long as it uses the
// context it is given: what it wrote and the answer are there together, or
// neither is, also after a crash. When do returns an error nothing is written
// and nothing stored. The database takes no other write while do runs, so do
// must not wait for anything but the database.
func (c *Catalog) Idempotent(ctx context.Context, scope Scope, key, requestHash string,
	do func(ctx context.Context) (status int, body []byte, err error)) (status int, body []byte, replayed bool, err error) {
	name := [2]string{scope.KeyID, key}
	if !c.inFlight.enter(name) {
		return 0, nil, false, conflict("a request with this Idempotency-Key is being done: ask again in a moment")
	}
	defer c.inFlight.leave(name)
	err = c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := c.now()
		oldest := now.Add(-idempotencyAge).UnixMilli()
		status, body, replayed, err = firstAnswer(ctx, tx, name, requestHash, oldest)
		if err != nil || replayed {
			return err
		}
		if status, body, err = do(ctx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "idempotency.forget", oldest); err != nil {
			return err
		}
		inserted, err := tx.Exec(ctx, "idempotency.insert", scope.KeyID, key, requestHash, int64(status), string(body), now.UnixMilli())
		if err == nil && inserted == 0 { // another node was faster
			return conflict("a request with this Idempotency-Key is being done: ask again in a moment")
		}
		return err
	})
	if err != nil {
		return 0, nil, false, err
	}
	return status, body, replayed, nil
}

// IdempotentApart is Idempotent for a request that waits for more than the
// database, such as for what was sent to be settled: do runs in no transaction,
// and its answer is stored when it is done. A crash between the two forgets the
// answer, so that do must bear being repeated then.
func (c *Catalog) IdempotentApart(ctx context.Context, scope Scope, key, requestHash string,
	do func(ctx context.Context) (status int, body []byte, err error)) (status int, body []byte, replayed bool, err error) {
	name := [2]string{scope.KeyID, key}
	if !c.inFlight.enter(name) {
		return 0, nil, false, conflict("a request with this Idempotency-Key is being done: ask again in a moment")
	}
	defer c.inFlight.leave(name)
	now := c.now()
	oldest := now.Add(-idempotencyAge).UnixMilli()
	status, body, replayed, err = firstAnswer(ctx, c.db, name, requestHash, oldest)
	if err != nil || replayed {
		return status, body, replayed, err
	}
	if status, body, err = do(ctx); err != nil {
		return 0, nil, false, err
	}
	err = c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "idempotency.forget", oldest); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "idempotency.insert", scope.KeyID, key, requestHash, int64(status), string(body), now.UnixMilli())
		return err
	})
	return status, body, false, err
}

func firstAnswer(ctx context.Context, db database.Reader, name [2]string, requestHash string, oldest int64) (status int, body []byte, found bool, err error) {
	var hash string
	err = db.Row(ctx, "idempotency.find", name[0], name[1], oldest).Scan(&hash, &status, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil, false, nil
	case err != nil:
		return 0, nil, false, fmt.Errorf("catalog: reading an idempotent answer: %w", err)
	case hash != requestHash:
		return 0, nil, false, attribution.Refuse(CodeIdempotencyMismatch, "this Idempotency-Key came with another request before: use a new one")
	}
	return status, body, true, nil
}
