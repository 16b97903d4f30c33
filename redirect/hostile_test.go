package redirect

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// The long form of these tests is
//
//	go test ./redirect -run Hostile -hostile.requests 100000 -hostile.slugs 1000000 -hostile.idle 20000
var (
	hostileSeed     = flag.Uint64("hostile.seed", 1, "seed of the mutated requests")
	hostileRequests = flag.Int("hostile.requests", 10_000, "how many mutated requests are sent")
	hostileSlugs    = flag.Int("hostile.slugs", 100_000, "how many slugs that no link has are asked for")
	hostileIdle     = flag.Int("hostile.idle", 500, "how many connections are open and silent; from 20000 on, latencies are compared")
)

// An echoIntake says how long the body under /t/ was.
type echoIntake struct{}

func (echoIntake) Serve(ctx *fasthttp.RequestCtx, _ []byte, _ netip.Addr) {
	var read int64
	if body := ctx.RequestBodyStream(); body != nil {
		var err error
		if read, err = io.CopyN(io.Discard, body, maxBodyBytes+1); err != io.EOF {
			ctx.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		ctx.Request.ResetBody()
	}
	ctx.SetBodyString("read " + strconv.FormatInt(read, 10) + " bytes")
}

func (echoIntake) Hurry() {}

// A victim is a tracker for those who mean it harm: with an intake, and everything
// it logs kept.
type victim struct {
	*tracker
	log *lockedLog
}

type lockedLog struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func startVictim(t *testing.T, change func(*Server)) *victim {
	t.Helper()
	clicks, lines := new(memoryLog), new(lockedLog)
	options := testOptions(t, clicks)
	options.Intake, options.Logger = echoIntake{}, slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(server)
	}
	server.http.MaxIdleWorkerDuration = 100 * time.Millisecond // what is left of a client is gone soon
	return &victim{serveTracker(t, server, clicks, options), lines}
}

// address is where the victim listens.
func (v *victim) address() string { return strings.TrimPrefix(v.base, "http://") }

// panics is how many requests ended in a fault.
func (v *victim) panics(t *testing.T) float64 {
	t.Helper()
	families, err := v.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "tributary_handler_panics_total" {
			return family.Metric[0].GetCounter().GetValue()
		}
	}
	t.Fatal("there is no tributary_handler_panics_total")
	return 0
}

var statusLine = regexp.MustCompile(`HTTP/1\.1 (\d{3}) `)

// answers are the statuses of what was answered; nothing a page says looks like one.
func answers(text string) (statuses []string) {
	for _, found := range statusLine.FindAllStringSubmatch(text, -1) {
		if found[1] != "100" {
			statuses = append(statuses, found[1])
		}
	}
	return statuses
}

// exchange sends bytes as they are, all of them if they are taken, and returns
// what is answered until the server closes.
func (v *victim) exchange(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", v.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, request) // a server that has refused already reads no more
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	answer, err := io.ReadAll(conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("%.80q: the connection was not closed", request)
	}
	return string(answer)
}

// referenceRequests is how many requests net/http reads from a stream, and what it
// stumbles over. What has nothing to do with where a request ends is put aside: a
// broken percent-encoding, and empty lines ahead of a request (RFC 9112 section 2.2).
func referenceRequests(stream string) (n int, err error) {
	reader := bufio.NewReader(strings.NewReader(strings.ReplaceAll(stream, "%", "x")))
	for {
		for next, _ := reader.Peek(1); len(next) > 0 && (next[0] == '\r' || next[0] == '\n'); next, _ = reader.Peek(1) {
			_, _ = reader.Discard(1)
		}
		request, err := http.ReadRequest(reader)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return n, err
		}
		n++
	}
}

// settles waits until no connection is open and no goroutine was left behind.
func (v *victim) settles(t *testing.T, baseline int) {
	t.Helper()
	const slack = 8 // idle workers of fasthttp's pool, and runtime helpers
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		open, running := v.http.GetOpenConnectionsCount(), runtime.NumGoroutine()
		if open <= 0 && v.serving.Load().idle() && running <= baseline+slack {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, %d goroutines run where %d did", open, running, baseline)
		}
	}
}
