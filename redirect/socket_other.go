//go:build !linux

package redirect

import "net"

func newSocket(conn net.Conn) net.Conn { return conn }
