package intake_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"tributary/redirect/credentials"
	"tributary/redirect/intake"
)

// dial opens a connection to the tracker that nobody waits on for ever.
func (tr *tracker) dial() net.Conn {
	tr.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(tr.base, "http://"))
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		tr.t.Fatal(err)
	}
	return conn
}

// spaced is a list of one sale that is so long.
func spaced(size int) string { return "[" + sale + strings.Repeat(" ", size-len(sale)-2) + "]" }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestLongBodiesShareTheirMemory has somebody who knows an advertiser's id announce
// long bodies, and send most of some: no more memory is taken than there is for all,
// shops with a key go on, and everything works again when the connections are gone.
func TestLongBodiesShareTheirMemory(t *testing.T) {
	const (
		memory  = 25 << 20 // half of it is just enough for one of the longest
		heads   = 200
		senders = 16
		slack   = heads*(16<<10) + senders*(3*intake.MaxBodyBytes) + 4<<20 // what connections take anyhow
	)
	tr := start(t, func(o *intake.Options) { o.BodyMemory = memory })
	longest := spaced(intake.MaxArrayBytes)
	signed := func() *answer {
		timestamp, signature := sign(hmacSecret, time.Now(), longest)
		return tr.send("POST", "/t/conversions", longest, "Tributary-Key-Id", "adv_1", "Tributary-Timestamp", timestamp, "Tributary-Signature", signature)
	}
	signed().want(200, "accepted")
	tr.taken(1)

	before := heap()
	timestamp, _ := sign("", time.Now(), "")
	head := fmt.Sprintf("POST /t/conversions HTTP/1.1\r\nHost: t\r\nTributary-Key-Id: adv_1\r\nTributary-Timestamp: %s\r\nTributary-Signature: v1=00\r\nContent-Length: %d\r\n\r\n[",
		timestamp, intake.MaxArrayBytes)
	var hostile []net.Conn
	for range heads + senders {
		conn := tr.dial()
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		hostile = append(hostile, conn)
	}
	var most uint64
	look := func() { most = max(most, heap()) }
	look()
	tr.post(ingestKey, longest).want(200, "accepted")
	signed().want(200, "accepted") // heads alone take nothing
	var sending sync.WaitGroup
	for _, conn := range hostile[heads:] {
		sending.Go(func() {
			if _, err := io.WriteString(conn, longest[:5<<20]); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	accepted := 4
	busy := signed()
	for ; busy.status == 200; busy = signed() { // what was sent is still being read
		accepted++
	}
	if busy.want(503, `"code":"busy"`); busy.header.Get("Retry-After") == "" {
		t.Errorf("who is to send again is told %v", busy.header)
	}
	tr.post(ingestKey, spaced(1<<20)).want(200, "accepted")
	for range 10 {
		look()
	}
	if most > before+memory+slack {
		t.Errorf("%d bodies take %d MiB, want %d MiB at most", len(hostile), (most-before)>>20, (memory+slack)>>20)
	}
	for _, conn := range hostile {
		conn.Close()
	}
	tr.becomes(200, func() int { return signed().status })
	tr.post(ingestKey, longest).want(200, "accepted")
	tr.taken(accepted + 1)
	tr.noMore()
}

// TestRefusedBodiesAreReadPast sends long bodies that are not taken over connections
// that go on: what is behind them is the next request, and is answered.
func TestRefusedBodiesAreReadPast(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	long := spaced(200 << 10)
	bearer := func(key string) string { return "Authorization: Bearer " + key + "\r\n" }
	for name, c := range map[string]struct {
		path, header string
		want         int
	}{
		"nobody's":        {"/t/conversions", "", 401},
		"a stranger's":    {"/t/conversions", bearer("trb_unknown"), 401},
		"an old key's":    {"/t/refunds", bearer(expiredKey), 401},
		"a creator's":     {"/t/conversions", bearer(creatorKey), 403},
		"signed by none":  {"/t/conversions", "Tributary-Signature: v1=00\r\nTributary-Key-Id: adv_9\r\nTributary-Timestamp: " + fmt.Sprint(time.Now().Unix()) + "\r\n", 401},
		"signed long ago": {"/t/conversions", "Tributary-Signature: v1=00\r\nTributary-Key-Id: adv_1\r\nTributary-Timestamp: 1\r\n", 401},
		"a beacon":        {"/t/event?adv=" + publicKey, "", 413},
		"a postback":      {"/t/postback?key=" + token, "", 413},
	} {
		for _, chunked := range []bool{false, true} {
			conn := tr.dial()
			answers := bufio.NewReader(conn)
			request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: t\r\n%s", c.path, c.header)
			if chunked {
				request += fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(long), long)
			} else {
				request += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(long), long)
			}
			next := fmt.Sprintf("POST /t/conversions HTTP/1.1\r\nHost: t\r\n%sContent-Length: %d\r\n\r\n%s", bearer(ingestKey), len(sale), sale)
			if _, err := io.WriteString(conn, request+next); err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{c.want, 200} {
				response, err := http.ReadResponse(answers, nil)
				if err != nil || response.StatusCode != want {
					t.Fatalf("%s (chunked: %t) is answered %v, %v; want %d", name, chunked, response, err, want)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Fatal(err)
				}
			}
			tr.taken(1)
		}
	}
	tr.noMore()
}

// TestBodiesThatEndEarlyAreNotTaken cuts bodies short where what came so far would
// make sense.
func TestBodiesThatEndEarlyAreNotTaken(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	head := "POST /t/conversions HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-ndjson\r\nAuthorization: Bearer " + ingestKey + "\r\n"
	line := sale + "\n"
	for name, rest := range map[string]string{
		"in a length":         fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 2*len(line), line),
		"in a long length":    fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 1<<20, strings.Repeat(line, 900)),
		"between two chunks":  fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(line), line),
		"in a chunk's length": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0", len(line), line),
		"in a broken chunk":   fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%sX\r\n0\r\n\r\n", len(line), line),
	} {
		conn := tr.dial()
		if _, err := io.WriteString(conn, head+rest); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || !strings.Contains(string(answer), " 400 ") || strings.Count(string(answer), "HTTP/1.1 ") != 1 {
			t.Errorf("%s: answered %q, %v", name, answer, err)
		}
	}
	tr.noMore()
}

// TestBodiesThatAreAskedFor waits for 100 Continue before each body.
func TestBodiesThatAreAskedFor(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	conn := tr.dial()
	answers := bufio.NewReader(conn)
	for _, size := range []int{len(sale) + 2, intake.MaxBodyBytes, intake.MaxBodyBytes + 1, intake.MaxArrayBytes} {
		fmt.Fprintf(conn, "POST /t/conversions HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", ingestKey, size)
		for _, want := range []int{fasthttp.StatusContinue, fasthttp.StatusOK} {
			response, err := http.ReadResponse(answers, nil)
			if err != nil || response.StatusCode != want {
				t.Fatalf("%d bytes are answered %v, %v; want %d", size, response, err, want)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			if want == fasthttp.StatusContinue {
				if _, err := io.WriteString(conn, spaced(size)); err != nil {
					t.Fatal(err)
				}
			}
		}
		tr.taken(1)
	}
}

// TestLongBodiesBeforeKeysAreLoaded tells a shop to come again: nothing is wrong with
// what it sent.
func TestLongBodiesBeforeKeysAreLoaded(t *testing.T) {
	t.Parallel()
	tr := start(t, func(o *intake.Options) { o.Credentials = credentials.NewStore(pepper) })
	if a := tr.post(ingestKey, spaced(1<<20)).want(503, "unavailable"); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}
