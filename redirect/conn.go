package redirect

import (
	"net"
	"time"
)

// deadlineGrain is how far a deadline must move before the connection is told.
// Setting one costs a runtime timer; fasthttp sets three for every request.
const deadlineGrain = time.Second

// A coarseListener accepts connections whose deadlines move in steps.
type coarseListener struct{ net.Listener }

func (l coarseListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &coarseConn{Conn: conn}, nil
}

// A coarseConn passes a deadline on only when it moves by deadlineGrain or more:
// a connection may be closed up to that much early. One goroutine reads and
// writes it, as fasthttp's workers do.
type coarseConn struct {
	net.Conn
	read, write time.Time
}

func (c *coarseConn) SetReadDeadline(t time.Time) error {
	if near(t, c.read) {
		return nil
	}
	c.read = t
	return c.Conn.SetReadDeadline(t)
}

func (c *coarseConn) SetWriteDeadline(t time.Time) error {
	if near(t, c.write) {
		return nil
	}
	c.write = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *coarseConn) SetDeadline(t time.Time) error {
	c.read, c.write = t, t
	return c.Conn.SetDeadline(t)
}

func near(t, set time.Time) bool {
	if t.IsZero() || set.IsZero() {
		return false
	}
	moved := t.Sub(set)
	return moved >= 0 && moved < deadlineGrain
}
