package redirect

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// goodClients clicks until stop is closed, and returns how long each answer took.
// Whatever else goes on, every click must be redirected.
func (v *victim) goodClients(t *testing.T, stop <-chan struct{}) (took []time.Duration) {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	defer transport.CloseIdleConnections()
	for {
		select {
		case <-stop:
			return took
		default:
		}
		request, err := http.NewRequest("GET", v.base+"/k3VbQ9xT", nil)
		if err != nil {
			t.Error(err)
			return took
		}
		began := time.Now()
		response, err := transport.RoundTrip(request)
		if err != nil { // once more, as browsers do when a connection they kept has ended
			response, err = transport.RoundTrip(request)
		}
		if err != nil || response.StatusCode != http.StatusFound {
			t.Errorf("a good client is answered %v, %v", response, err)
			return took
		}
		_ = response.Body.Close()
		took = append(took, time.Since(began))
	}
}

// slowLoris are clients that stretch what they send, or never read.
var slowLoris = map[string]func(net.Conn){
	"a header byte at a time": func(c net.Conn) { drip(c, clickLine+"X: ") },
	"a header at a time": func(c net.Conn) {
		for _, err := io.WriteString(c, clickLine); err == nil; _, err = io.WriteString(c, "X: y\r\n") {
			time.Sleep(50 * time.Millisecond)
		}
	},
	"a body byte at a time":       func(c net.Conn) { drip(c, postLine+"Content-Length: 60000\r\n\r\n") },
	"a chunk at a time":           func(c net.Conn) { drip(c, postLine+"Transfer-Encoding: chunked\r\n\r\nffff\r\n") },
	"an empty line at a time":     func(c net.Conn) { drip(c, "\r\n\r\n") },
	"a request that never begins": func(net.Conn) {},
	"a reader that never reads": func(c net.Conn) {
		ask := strings.Repeat("GET /nothing HTTP/1.1\r\nHost: t\r\n\r\n", 1000)
		for _, err := io.WriteString(c, ask); err == nil; _, err = io.WriteString(c, ask) {
		}
	},
}

// TestHostileSlowClientsAreCutOff holds many connections open in every slow way
// there is, on the real server, while good clients click.
func TestHostileSlowClientsAreCutOff(t *testing.T) {
	const timeout, each = time.Second, 20
	v := startVictim(t, func(s *Server) { s.timeout = timeout })
	stop := make(chan struct{})
	var good, slow sync.WaitGroup
	good.Go(func() { v.goodClients(t, stop) })
	for name, send := range slowLoris {
		for range each {
			slow.Go(func() {
				conn, err := net.Dial("tcp", v.address())
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					send(conn)
					if name == "a request that never begins" {
						_, _ = conn.Read(make([]byte, 1))
					}
				}()
				select {
				case <-sent: // a write or read failed: it was cut off
				case <-time.After(20 * time.Second):
					t.Errorf("%s: not cut off within 20 s", name)
				}
			})
		}
	}
	slow.Wait()
	close(stop)
	good.Wait()
	if n := v.panics(t); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// TestHostileIdleConnectionsHarmNobody opens connections that say nothing, or
// nothing more, while good clients click. With 20,000 of them, the time a click
// takes is compared with that before.
func TestHostileIdleConnectionsHarmNobody(t *testing.T) {
	v := startVictim(t, nil)
	baseline := runtime.NumGoroutine()
	measure := func() time.Duration {
		stop, results := make(chan struct{}), make(chan []time.Duration)
		for range 4 {
			go func() { results <- v.goodClients(t, stop) }()
		}
		time.AfterFunc(max(300*time.Millisecond, time.Duration(*hostileIdle)*250*time.Microsecond), func() { close(stop) })
		var took []time.Duration
		for range 4 {
			took = append(took, <-results...)
		}
		slices.Sort(took)
		if len(took) == 0 {
			t.Fatal("nobody was redirected")
		}
		return took[len(took)*99/100]
	}
	alone := measure()
	idle := make([]net.Conn, 0, *hostileIdle)
	defer func() {
		for _, conn := range idle {
			_ = conn.Close()
		}
	}()
	for i := range *hostileIdle {
		var dialer net.Dialer
		if i >= 10_000 { // an address has only so many ports
			dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/10_000))}
		}
		conn, err := dialer.Dial("tcp", v.address())
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		idle = append(idle, conn)
		if i%2 == 0 {
			if _, err := io.WriteString(conn, clickLine+"\r\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	among := measure()
	t.Logf("p99 of a click alone %v, among %d idle connections %v", alone, *hostileIdle, among)
	if *hostileIdle >= 20_000 && among > 2*alone {
		t.Errorf("p99 of a click is %v among %d idle connections, %v without", among, *hostileIdle, alone)
	}
	for _, conn := range idle {
		_ = conn.Close()
	}
	idle = idle[:0]
	v.settles(t, baseline)
}

// TestHostileCrowdsGiveWay opens more connections than there may be: those that
// have waited long make room, and good clients go on.
func TestHostileCrowdsGiveWay(t *testing.T) {
	const most = 64
	v := startVictim(t, func(s *Server) { s.maxOpen = most })
	stop := make(chan struct{})
	var good sync.WaitGroup
	for range 3 {
		good.Go(func() { v.goodClients(t, stop) })
	}
	for range 10 * most {
		conn, err := net.Dial("tcp", v.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); v.http.GetOpenConnectionsCount() > most || v.crowdedOut.Load() < 8*most; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, %d were crowded out", v.http.GetOpenConnectionsCount(), v.crowdedOut.Load())
		}
	}
	close(stop)
	good.Wait()
}
