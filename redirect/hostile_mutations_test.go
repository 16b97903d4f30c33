package redirect

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

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
