//go:build !linux

package loadgen

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

func sharpen() {}

// wait returns when a socket is ready or the time is over, to the millisecond.
func wait(sockets []unix.PollFd, atMost time.Duration) error {
	_, err := unix.Poll(sockets, int(max(0, atMost).Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}
