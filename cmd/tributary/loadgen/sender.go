package loadgen

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxOutstanding bounds the requests of one connection that wait for an answer.
// Those due while it is reached are not sent and count as the error "backlog".
const maxOutstanding = 4096

// The kinds of errors.
const (
	errorConnect = "connect"
	errorWrite   = "write"
	errorTimeout = "timeout"
	errorLost    = "connection lost"
	errorAnswer  = "malformed answer"
	errorBacklog = "backlog"
)

// A sender is one connection: it writes each request when it is due, whether or
// not earlier ones were answered (HTTP/1.1 pipelining), and reads the answers.
type sender struct {
	*plan
	pacer  *pacer
	number int
	due    uint64 // requests that were due
	sent   atomic.Uint64

	mu         sync.Mutex // for what follows: the writer and readers share it
	latency    histogram
	lag        histogram // of sending behind the intended time: the generator's own slowness
	statuses   map[int]uint64
	errors     map[string]uint64
	lastAnswer time.Time
}

func newSender(p *plan, number int) (*sender, error) {
	pacer, err := newPacer()
	if err != nil {
		return nil, err
	}
	return &sender{plan: p, pacer: pacer, number: number, statuses: map[int]uint64{}, errors: map[string]uint64{}}, nil
}

// A link is one life of the connection.
type link struct {
	conn        net.Conn
	outstanding chan time.Time // intended times of requests without an answer, oldest first
	broken      atomic.Bool
	read        chan struct{} // closed when the reader has ended
}

func (s *sender) run(ctx context.Context) {
	defer s.pacer.close()
	end := s.start.Add(s.Duration)
	l := s.connect()
	for n := uint64(s.number); ; n += uint64(s.Connections) {
		due := s.plan.due(n)
		if !due.Before(end) || s.pacer.waitUntil(due) != nil || ctx.Err() != nil {
			break
		}
		s.due++
		if l == nil || l.broken.Load() {
			s.finish(l)
			if l = s.connect(); l == nil {
				s.fail(errorConnect)
				continue
			}
		}
		s.send(l, due, s.requests[n%uint64(len(s.requests))])
	}
	s.finish(l)
}

// connect opens the connection and starts its reader; nil when it cannot.
func (s *sender) connect() *link {
	conn, err := net.DialTimeout("tcp", s.address, s.Timeout)
	if err != nil {
		return nil
	}
	l := &link{conn: conn, outstanding: make(chan time.Time, maxOutstanding), read: make(chan struct{})}
	go s.readAnswers(l)
	return l
}

// finish waits for the answers that are still to come and closes the connection.
func (s *sender) finish(l *link) {
	if l == nil {
		return
	}
	close(l.outstanding)
	<-l.read
	l.conn.Close()
}

func (s *sender) send(l *link, due time.Time, request []byte) {
	select {
	case l.outstanding <- due:
	default:
		s.fail(errorBacklog)
		return
	}
	lag := time.Since(due)
	s.mu.Lock()
	s.lag.record(lag)
	s.mu.Unlock()
	s.sent.Add(1)
	if err := l.conn.SetWriteDeadline(time.Now().Add(s.Timeout)); err != nil {
		l.broken.Store(true)
		return
	}
	if _, err := l.conn.Write(request); err != nil {
		l.broken.Store(true) // the reader counts the request as lost
		l.conn.Close()
	}
}

// readAnswers reads one answer for each request sent. When the connection
// breaks, every request still without one is counted under the same error.
func (s *sender) readAnswers(l *link) {
	defer close(l.read)
	answers := bufio.NewReaderSize(l.conn, 16<<10)
	failure := ""
	for due := range l.outstanding {
		if failure == "" {
			failure = s.readOne(l, answers, due)
		} else {
			s.fail(failure)
		}
		if failure != "" {
			l.broken.Store(true)
		}
	}
}

// readOne returns why no further answer can come, or nothing.
func (s *sender) readOne(l *link, answers *bufio.Reader, due time.Time) (failure string) {
	if answers.Buffered() == 0 {
		if err := l.conn.SetReadDeadline(time.Now().Add(s.Timeout)); err != nil {
			s.fail(errorLost)
			return errorLost
		}
	}
	status, closes, err := readAnswer(answers)
	if err != nil {
		failure = errorLost
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			failure = errorTimeout
		case errors.Is(err, errMalformed), errors.Is(err, bufio.ErrBufferFull):
			failure = errorAnswer
		}
		s.fail(failure)
		return failure
	}
	now := time.Now()
	s.mu.Lock()
	s.latency.record(now.Sub(due))
	s.statuses[status]++
	s.lastAnswer = now
	s.mu.Unlock()
	if closes {
		return errorLost
	}
	return ""
}

func (s *sender) fail(kind string) {
	s.mu.Lock()
	s.errors[kind]++
	s.mu.Unlock()
}
