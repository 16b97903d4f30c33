package database

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// boundUnanswered bounds how long what was sent may wait for its acknowledgement.
func boundUnanswered(network, _ string, socket syscall.RawConn) (err error) {
	if network == "unix" {
		return nil
	}
	if failed := socket.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unansweredFor.Milliseconds()))
	}); failed != nil {
		return failed
	}
	return err
}
