package loadgen

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// sharpen makes the calling thread's waits end within microseconds of what was
// asked: the kernel may add 50 otherwise.
func sharpen() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }

// wait returns when a socket is ready or the time is over.
func wait(sockets []unix.PollFd, atMost time.Duration) error {
	limit := unix.NsecToTimespec(max(0, atMost).Nanoseconds())
	_, err := unix.Ppoll(sockets, &limit, nil)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}
