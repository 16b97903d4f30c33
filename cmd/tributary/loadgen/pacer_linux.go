package loadgen

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A pacer waits for a moment to within tens of microseconds. The runtime's own
// timers are rounded up to a millisecond while nothing else runs, which would
// add half of that to every latency measured.
type pacer struct {
	fd    int
	timer *os.File
}

func newPacer() (*pacer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	return &pacer{fd: fd, timer: os.NewFile(uintptr(fd), "timer")}, nil
}

func (p *pacer) waitUntil(due time.Time) error {
	wait := time.Until(due)
	if wait <= 0 {
		return nil
	}
	once := unix.ItimerSpec{Value: unix.NsecToTimespec(wait.Nanoseconds())}
	if err := unix.TimerfdSettime(p.fd, 0, &once, nil); err != nil {
		return fmt.Errorf("set the timer: %w", err)
	}
	var expirations [8]byte
	_, err := p.timer.Read(expirations[:])
	return err
}

func (p *pacer) close() { p.timer.Close() }
