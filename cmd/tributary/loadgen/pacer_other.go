//go:build !linux

package loadgen

import "time"

// A pacer waits for a moment as precisely as the runtime's timers do.
type pacer struct{}

func newPacer() (*pacer, error) { return &pacer{}, nil }

func (*pacer) waitUntil(due time.Time) error {
	time.Sleep(time.Until(due))
	return nil
}

func (*pacer) close() {}
