package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A proxy stands between the server and its ClickHouse and does what networks do:
// it is slow, cuts a request in the middle, or loses the reply to one that was
// carried out.
type proxy struct {
	listener net.Listener
	socket   string // of ClickHouse
	serving  sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	ills   ills
	conns  map[net.Conn]bool

	slowed, cuts, lost, refused atomic.Int64
}

// ills are how likely a request meets each, and whether nothing passes at all.
type ills struct {
	down           bool
	slow           float64 // of all requests
	cut, loseReply float64 // of inserts
}

type ill int

const (
	healthy ill = iota
	slow
	cut
	loseReply
)

// slowest is the longest a piece of a slowed request waits.
const slowest = 200 * time.Millisecond

// pieceBytes is the most that is passed on at once.
const pieceBytes = 64 << 10

func newProxy(socket string, seed uint64) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, socket: socket, random: rand.New(rand.NewPCG(seed, 1)), conns: map[net.Conn]bool{}}
	p.serving.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// suffer sets what happens from now on. Being down ends the connections there are.
func (p *proxy) suffer(i ills) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ills = i
	if i.down {
		p.hangUp()
	}
}

// hangUp is called with the lock held.
func (p *proxy) hangUp() {
	for conn := range p.conns {
		conn.Close() // its pumps notice
	}
}

func (p *proxy) close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.hangUp()
	p.mu.Unlock()
	p.serving.Wait()
	return err
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.pass(conn) })
	}
}

// admit keeps a connection in mind until it is let go; false: nothing passes.
func (p *proxy) admit(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ills.down {
		p.refused.Add(1)
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *proxy) letGo(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// draw says what the request that begins with these bytes will meet.
func (p *proxy) draw(head []byte) ill {
	p.mu.Lock()
	defer p.mu.Unlock()
	draw := p.random.Float64()
	if line, _, _ := bytes.Cut(head, []byte("\r\n")); bytes.Contains(line, []byte("INSERT")) {
		switch {
		case draw < p.ills.cut:
			return cut
		case draw < p.ills.cut+p.ills.loseReply:
			return loseReply
		}
		draw = p.random.Float64()
	}
	if draw < p.ills.slow {
		p.slowed.Add(1)
		return slow
	}
	return healthy
}

// later is how long a slowed piece waits.
func (p *proxy) later() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.random.Int64N(int64(slowest)))
}

// pass pumps one connection to ClickHouse and back until either end is gone.
func (p *proxy) pass(client net.Conn) {
	defer client.Close()
	if !p.admit(client) {
		return
	}
	defer p.letGo(client)
	server, err := net.Dial("unix", p.socket)
	if err != nil {
		p.refused.Add(1)
		return
	}
	defer server.Close()
	var now atomic.Int32 // what the request under way meets
	var back sync.WaitGroup
	back.Go(func() {
		p.pump(client, server, func([]byte) (keep int, err error) { return p.reply(ill(now.Load())) })
		client.Close()
	})
	p.pump(server, client, func(piece []byte) (keep int, err error) {
		if bytes.HasPrefix(piece, []byte("POST ")) || bytes.HasPrefix(piece, []byte("GET ")) {
			now.Store(int32(p.draw(piece)))
		}
		return p.request(ill(now.Load()), piece)
	})
	server.Close()
	back.Wait()
}

// errCut ends a connection on purpose.
var errCut = errors.New("cut")

// request is what becomes of a piece on its way to ClickHouse.
func (p *proxy) request(i ill, piece []byte) (keep int, err error) {
	switch i {
	case slow:
		time.Sleep(p.later())
	case cut: // half of its last piece arrives, or of one before
		if len(piece) == pieceBytes && p.later() < slowest/2 {
			return len(piece), nil
		}
		p.cuts.Add(1)
		return len(piece) / 2, errCut
	}
	return len(piece), nil
}

// reply is what becomes of the first piece of an answer: ClickHouse gives it once
// the insert was carried out.
func (p *proxy) reply(i ill) (keep int, err error) {
	switch i {
	case slow:
		time.Sleep(p.later())
	case loseReply:
		p.lost.Add(1)
		return 0, errCut
	}
	return -1, nil
}

// pump copies until an end is gone or the fault says so. fault returns how much of a
// piece passes, -1 for all of it.
func (p *proxy) pump(to, from net.Conn, fault func(piece []byte) (keep int, err error)) {
	piece := make([]byte, pieceBytes)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			keep, cut := fault(piece[:n])
			if keep < 0 {
				keep = n
			}
			if _, err := to.Write(piece[:keep]); err != nil || cut != nil {
				return
			}
		}
		if err != nil { // the end too: HTTP has no half-closed connections
			return
		}
	}
}

// errNothingLost is what one waits for no more.
var errNothingLost = errors.New("no reply was lost")
