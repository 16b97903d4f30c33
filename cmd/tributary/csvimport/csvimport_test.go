package csvimport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// A shelf is a server that takes every order but those named "bad…".
type shelf struct {
	mu       sync.Mutex
	orders   []string
	requests int
	fail     func(request int) int // a status instead of an answer, -1: no answer; 0: answer
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.fail != nil {
		switch status := s.fail(s.requests); {
		case status < 0:
			panic(http.ErrAbortHandler)
		case status > 0:
			w.WriteHeader(status)
			return
		}
	}
	file := csv.NewReader(r.Body)
	file.FieldsPerRecord = -1
	header, err := file.Read()
	if err != nil || header[len(header)-1] != "order_id" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"detail":"the header cannot be used"}`)
		return
	}
	a := answer{Errors: []refusal{}}
	for {
		cells, err := file.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		a.Lines++
		line, order := 0, ""
		var malformed *csv.ParseError
		if errors.As(err, &malformed) {
			line = malformed.StartLine
		} else {
			line, _ = file.FieldPos(0)
			order = cells[len(cells)-1]
		}
		if line == 0 || order == "" || strings.HasPrefix(order, "bad") {
			a.Rejected++
			a.Errors = append(a.Errors, refusal{line, order, "rejected", `because, "so"`})
			continue
		}
		a.Accepted++
		s.orders = append(s.orders, order)
	}
	_ = json.NewEncoder(w).Encode(a)
}

func serve(t *testing.T, s *shelf) string {
	server := httptest.NewServer(s)
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	return server.URL
}

func importFile(t *testing.T, url, file string, change func(*Options)) (Result, error) {
	t.Helper()
	o := Options{File: file, URL: url, Key: "trb_x", Patience: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	return Run(context.Background(), o, func(Progress) {})
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func orders(n int) string {
	var b strings.Builder
	b.WriteString("event,order_id\n")
	for i := range n {
		fmt.Fprintf(&b, "sale,o%d\n", i)
	}
	return b.String()
}

func TestAFailingServerIsTriedAgainAndEveryLineArrives(t *testing.T) {
	t.Parallel()
	s := &shelf{fail: func(n int) int {
		switch n {
		case 1:
			return http.StatusServiceUnavailable
		case 3:
			return -1
		}
		return 0
	}}
	file := write(t, orders(2_500))
	result, err := importFile(t, serve(t, s), file, nil)
	if err != nil || result.Accepted != 2_500 || len(s.orders) != 2_500 || s.orders[2_499] != "o2499" {
		t.Errorf("%+v, %v: %d arrived", result, err, len(s.orders))
	}
	if _, err := os.Stat(checkpointFile(file)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkpoint is left: %v", err)
	}
}

func TestAnInterruptedImportGoesOnBehindWhatWasAnswered(t *testing.T) {
	t.Parallel()
	down := true
	s := &shelf{fail: func(n int) int {
		if n > 2 && down {
			return http.StatusServiceUnavailable
		}
		return 0
	}}
	url := serve(t, s)
	content := orders(1_500) + "sale,bad1\n" + strings.TrimPrefix(orders(2_000), "event,order_id\n") + "sale,bad2\n"
	file := write(t, content)
	impatient := func(o *Options) { o.Patience = time.Millisecond }
	if result, err := importFile(t, url, file, impatient); err == nil || !strings.Contains(err.Error(), "goes on behind line 2001") || result.Lines != 2_000 {
		t.Errorf("%+v, %v", result, err)
	}
	down = false
	result, err := importFile(t, url, file, nil)
	if err != nil || result.Lines != 3_502 || result.Rejected != 2 || result.ResumedAt != 2_002 || len(s.orders) != 3_500 {
		t.Errorf("%+v, %v: %d arrived", result, err, len(s.orders))
	}
	refused, err := os.ReadFile(result.RefusedFile)
	want := "_line,_code,_reason,event,order_id\n" + `1502,rejected,"because, ""so""",sale,bad1` + "\n" + `3503,rejected,"because, ""so""",sale,bad2` + "\n"
	if err != nil || string(refused) != want {
		t.Errorf("refused lines: %v\n%s", err, refused)
	}
	// Another server has none of it.
	other := &shelf{}
	if result, err := importFile(t, serve(t, other), file, nil); err != nil || result.ResumedAt != 0 || len(other.orders) != 3_500 {
		t.Errorf("%+v, %v: %d arrived elsewhere", result, err, len(other.orders))
	}
	// Corrected, the refused lines are a file of their own.
	if err := os.WriteFile(result.RefusedFile, bytes.ReplaceAll(refused, []byte("bad"), []byte("good")), 0o600); err != nil {
		t.Fatal(err)
	}
	if result, err := importFile(t, url, result.RefusedFile, nil); err != nil || result.Accepted != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestOddFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content, want string // part of the error, or the counts
	}{
		"empty":          {"", "the file is empty"},
		"header only":    {"event,order_id", "0 0 "},
		"no last line":   {"event,order_id\nsale,o1", "1 0 "},
		"mark and CRLF":  {"\xef\xbb\xbfevent,order_id\r\n\r\nsale,o1\r\nsale,\"bad\r\n2\"\r\n", "1 1 line 4"},
		"no CSV":         {"event,order_id\nsale,o\"1\nsale,o2\n\n\nsale,bad\n", "1 2 line 2 line 6"},
		"open quote":     {"event,order_id\nsale,o1\nsale,\"" + strings.Repeat("x", 200<<10), "line 3: a record is longer"},
		"unknown header": {"event,order\nsale,1\n", "422 Unprocessable Entity: the header cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, c.content)
			result, err := importFile(t, serve(t, &shelf{}), file, func(o *Options) { o.DryRun = true })
			got := fmt.Sprint(result.Accepted, " ", result.Rejected, " ")
			if err != nil {
				got = err.Error()
			}
			if refused, readErr := os.ReadFile(RefusedFile(file)); readErr == nil {
				rows, err := csv.NewReader(bufio.NewReader(bytes.NewReader(refused))).Read()
				if err != nil || rows[0] != "_line" {
					t.Errorf("the refused lines are no CSV: %v", err)
				}
				lines := csv.NewReader(bytes.NewReader(refused))
				lines.FieldsPerRecord = -1
				for _, cells := range must(lines.ReadAll())(t)[1:] {
					got += "line " + cells[0] + " "
				}
			}
			if !strings.Contains(strings.TrimSpace(got)+" ", c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// TestCuttingLosesNothing cuts random files anywhere: the chunks put together are
// the file, each begins where a record does, and lines are numbered as they stand.
func TestCuttingLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"a,b\n", "a,\"b\nc\"\n", "\n", "\r\n", "a,b\r\n", "a,\"\"\"x\"\n", "a\"b,c\n", "\"\n\n\",1\n", strings.Repeat("x", 5000) + "\n",
		})).Draw(t, "lines"), "")
		most := rapid.IntRange(1, 5).Draw(t, "most")
		cut := newCutter(iotest.HalfReader(strings.NewReader(content)), 0, 1)
		var all, records []byte
		for {
			c, err := cut.next(most)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.offset != int64(len(all)) || c.line != 1+bytes.Count(all, []byte("\n")) {
				t.Fatalf("a chunk begins at %d, line %d; %d were cut", c.offset, c.line, len(all))
			}
			for _, r := range c.records {
				if got := 1 + strings.Count(content[:int(c.offset)+r.start], "\n"); got != r.line {
					t.Fatalf("a record of line %d is numbered %d", got, r.line)
				}
				records = append(records, c.of(r.line)...)
			}
			all = append(all, c.text...)
		}
		if rest := content[len(all):]; strings.Trim(rest, "\r\n") != "" {
			t.Fatalf("%q was left out", rest)
		}
		if want := len(strings.NewReplacer("\r", "", "\n", "").Replace(content)); len(strings.NewReplacer("\r", "", "\n", "").Replace(string(records))) != want {
			t.Fatalf("the records have other bytes than the file: %q of %q", records, content)
		}
	})
}
