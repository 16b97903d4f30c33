package intake_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkConversions measures conversions taken per second, through real sockets
// onto the real spool, fsynced before each answer. The clients share the machine.
func BenchmarkConversions(b *testing.B) {
	for _, c := range []struct{ connections, perRequest int }{{64, 1}, {256, 1}, {4, 1000}, {16, 1000}} {
		b.Run(fmt.Sprintf("connections=%d/each=%d", c.connections, c.perRequest), func(b *testing.B) {
			tr := start(b, nil)
			one := `{"event":"sale","order_id":"o-1234567","amount":"49.90","currency":"USD","click_id":"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdef"}`
			body := one
			if c.perRequest > 1 {
				body = "[" + strings.Repeat(one+",", c.perRequest-1) + one + "]"
			}
			request := []byte(fmt.Sprintf("POST /t/conversions HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", ingestKey, len(body), body))
			var left atomic.Int64
			left.Store(int64(b.N))
			var clients sync.WaitGroup
			b.ResetTimer()
			for range c.connections {
				clients.Go(func() {
					if err := poster(tr.base, request, func() bool { return left.Add(-int64(c.perRequest)) > -int64(c.perRequest) }); err != nil {
						b.Error(err)
					}
				})
			}
			clients.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conversions/s")
		})
	}
}

// poster sends a request again and again over one connection, while more says so.
func poster(base string, request []byte, more func() bool) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReaderSize(conn, 64<<10)
	for more() {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readAnswer(answers); err != nil {
			return err
		}
	}
	return nil
}

func readAnswer(in *bufio.Reader) error {
	status, err := in.ReadString('\n')
	if err != nil || !strings.Contains(status, " 200 ") {
		return fmt.Errorf("%s: %w", status, err)
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if value, found := strings.CutPrefix(string(line), "Content-Length: "); found {
			if _, err := fmt.Sscan(value, &length); err != nil {
				return err
			}
		}
	}
	_, err = io.CopyN(io.Discard, in, int64(length))
	return err
}
