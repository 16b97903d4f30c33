package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listen opens a listener, or says which flag to change.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--%s %s is taken by another process: stop that one, or give another address", flag, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("--%s %s needs a right this user has not: give a port from 1024 on, or the binary CAP_NET_BIND_SERVICE", flag, address)
	case err != nil:
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return listener, nil
}
