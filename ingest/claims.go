package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"tributary/ingest/spool"
)

// A span is a range of sequence numbers, both ends included.
type span struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// A claim is a batch that may have been sent. Its span is its token; pieces,
// when there are any, stand in its place: rows of the span that are in none of
// them are stored or in quarantine.
type claim struct {
	span
	Pieces []span `json:"pieces,omitempty"`
}

// claims is a small file of the batches that are in flight. What is in it was
// on disk before the batch, or piece, was first sent. Safe for concurrent use.
type claims struct {
	path string

	mu   sync.Mutex
	log  string // identity of the log the spans are of
	held []claim
}

type claimsFile struct {
	Log    string  `json:"log"`
	Claims []claim `json:"claims"`
}

// openClaims reads the claims of a log that reach beyond committed. Those of
// another log are forgotten.
func openClaims(path, log string, committed uint64) (*claims, error) {
	c := &claims{path: path, log: log}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the batches in flight: %w", err)
	}
	var file claimsFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read the batches in flight: %s is damaged (%w): restore it, or remove it if ClickHouse has all rows sent before", path, err)
	}
	if file.Log == log {
		c.held = file.Claims
		c.dropThrough(committed)
	}
	return c, nil
}

// InFlight reports whether records of a log may have been sent to ClickHouse without an
// answer, as the shipper of that name noted in dir. Another ClickHouse does not know them.
func InFlight(dir, name string, log *spool.Log) (bool, error) {
	c, err := openClaims(filepath.Join(dir, name+".inflight.json"), log.Identity(), log.Committed())
	if err != nil {
		return false, err
	}
	return len(c.held) > 0, nil
}

// all are the claims held, in order.
func (c *claims) all() []claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.held)
}

// add claims a span behind those held, durably.
func (c *claims) add(s span) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(append(slices.Clone(c.held), claim{span: s}))
}

// cut puts pieces in the place of the claim of a span, durably.
func (c *claims) cut(whole span, pieces []span) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := slices.Clone(c.held)
	for i := range held {
		if held[i].span == whole {
			held[i].Pieces = slices.Clone(pieces)
		}
	}
	return c.write(held)
}

// dropThrough forgets the claims up to a committed sequence number. The file
// follows with the next write: a claim behind the cursor means nothing.
func (c *claims) dropThrough(committed uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = slices.DeleteFunc(c.held, func(held claim) bool { return held.Last <= committed })
}

// write replaces the file. The claims held follow only a write that worked.
func (c *claims) write(held []claim) error {
	text, err := json.Marshal(claimsFile{c.log, held})
	if err != nil {
		return err
	}
	if err := replaceFile(c.path, text); err != nil {
		return fmt.Errorf("write the batches in flight: %w", err)
	}
	c.held = held
	return nil
}

// replaceFile puts text in the place of a file: after a crash it is there
// whole, or the one before it.
func replaceFile(path string, text []byte) error {
	next := path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(next, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return err
}

// syncDir makes a directory's names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
