package loadgen

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHistogramIsPreciseToA64th(t *testing.T) {
	for _, us := range []int64{0, 1, 63, 64, 127, 128, 129, 1000, 99_999, 1_000_000, 3_600_000_000} {
		top := bucketTop(bucketOf(us))
		if top < us || float64(top-us) > float64(us)/precision {
			t.Errorf("%d µs is in a bucket up to %d", us, top)
		}
		if us > 0 && bucketTop(bucketOf(us)-1) >= us {
			t.Errorf("%d µs also fits the bucket before", us)
		}
	}
	var h histogram
	for i := range 1000 {
		h.record(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{.5: 501 * time.Millisecond, .99: 991 * time.Millisecond, 1: time.Second} {
		if got := h.quantile(q); got < want || got > want+want/precision {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestEveryRequestIsAnsweredOrCounted(t *testing.T) {
	var mu sync.Mutex
	agents := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		agents[r.UserAgent()] = true
		mu.Unlock()
		if r.Header.Get("X-Forwarded-For") == "" {
			t.Error("no X-Forwarded-For")
		}
		w.Header().Set("Location", "https://shop.example/")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	result, err := Run(t.Context(), Options{URLs: []string{server.URL + "/a", server.URL + "/b"}, Rate: 1000, Duration: time.Second / 2, Connections: 4, Visitors: 200, Timeout: 30 * time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Due != 500 || result.Answered != 500 || result.Statuses[302] != 500 || result.Failed() != 0 {
		t.Errorf("got %+v", result)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(agents) < 5 {
		t.Errorf("only %d user agents in the mix", len(agents))
	}
}

// TestAStallShowsInEveryRequestDueInIt is the promise of the open model: the
// server holds its first answer back until all requests are there, and all of
// them were sent all the same.
func TestAStallShowsInEveryRequestDueInIt(t *testing.T) {
	const want = 50
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		reader := bufio.NewReader(conn)
		for range want {
			if _, err := http.ReadRequest(reader); err != nil {
				t.Error(err)
				return
			}
		}
		conn.Write([]byte(strings.Repeat("HTTP/1.1 204 No Content\r\n\r\n", want)))
		reader.ReadByte() // until the generator closes
	}()
	result, err := Run(t.Context(), Options{URLs: []string{"http://" + listener.Addr().String() + "/"}, Rate: 200, Duration: 250 * time.Millisecond, Connections: 1, Visitors: 1, Timeout: 30 * time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Answered != want || result.Latency.Max < 200 || result.Latency.P50 < 50 {
		t.Errorf("the stall is hidden: %+v", result)
	}
}

func TestLostConnectionsAreCounted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	result, err := Run(t.Context(), Options{URLs: []string{"http://" + listener.Addr().String() + "/"}, Rate: 100, Duration: 200 * time.Millisecond, Connections: 2, Visitors: 1, Timeout: 30 * time.Second}, nil)
	listener.Close()
	if err != nil {
		t.Fatal(err)
	}
	if result.Answered != 0 || result.Failed() != result.Due {
		t.Errorf("got %+v", result)
	}
}

func TestAnswersThatEndAConnection(t *testing.T) {
	for text, want := range map[string]int{
		"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n": 302,
		"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello":       404,
		"SSH-2.0-OpenSSH\r\n\r\n":                                        0,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 0,
		"HTTP/1.1 200 OK\r\nContent-Length: 1e9\r\n\r\n":                 0,
	} {
		a, _, err := readHead([]byte(text))
		if a.status != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d %v", text, a.status, err)
		}
	}
}

func TestOptionsNameEverythingThatIsWrong(t *testing.T) {
	_, err := Run(context.Background(), Options{URLs: []string{"https://a/", "http://198.51.100.7/x"}}, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"--rate", "--duration", "--connections", "--visitors", "--timeout", "must begin with http://", "give --remote"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}
