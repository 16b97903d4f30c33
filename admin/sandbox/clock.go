package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"tributary/attribution"
)

// A Clock is the time of a rehearsal, kept in a file. Reading it is safe for
// concurrent use; only a Rehearsal moves it.
type Clock struct {
	path    string
	replace func(path string, content []byte) error
	standMs atomic.Int64 // 0: the machine's time goes on
}

// A clockFile is how the clock lies on disk. A file without a time is that of a
// clock that was never set.
type clockFile struct {
	Now *attribution.Instant `json:"now,omitempty"`
}

// OpenClock reads the clock kept at path, or makes one there. replace puts
// content at a path in one step, on disk before it returns.
func OpenClock(path string, replace func(path string, content []byte) error) (*Clock, error) {
	c := &Clock{path: path, replace: replace}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, c.keep(clockFile{})
	}
	if err != nil {
		return nil, fmt.Errorf("read the test clock: %w", err)
	}
	var kept clockFile
	if err := json.Unmarshal(content, &kept); err != nil {
		return nil, fmt.Errorf("the test clock in %s is damaged: write {} into it to start it at the machine's time", path)
	}
	if kept.Now != nil {
		c.standMs.Store(int64(*kept.Now))
	}
	return c, nil
}

// Now is the time of the rehearsal.
func (c *Clock) Now() time.Time {
	if ms := c.standMs.Load(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Now()
}

// stands reports whether the clock was ever set.
func (c *Clock) stands() bool { return c.standMs.Load() != 0 }

// show moves the hands; keepAt makes that outlive the process.
func (c *Clock) show(at attribution.Instant) { c.standMs.Store(int64(at)) }

func (c *Clock) keepAt(at attribution.Instant) error { return c.keep(clockFile{Now: &at}) }

func (c *Clock) keep(file clockFile) error {
	content, err := json.Marshal(file)
	if err != nil {
		return fmt.Errorf("write the test clock: %w", err)
	}
	if err := c.replace(c.path, content); err != nil {
		return fmt.Errorf("write the test clock: %w", err)
	}
	return nil
}
