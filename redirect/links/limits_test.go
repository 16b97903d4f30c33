package links

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func openTestLimits(t *testing.T, dir string) *Limits {
	t.Helper()
	l, err := OpenLimits(dir, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func take(t *testing.T, l *Limits, number uint64, most int64, want ...bool) {
	t.Helper()
	for i, want := range want {
		if got := l.Take(number, most); got != want {
			t.Errorf("click %d of link %d with a maximum of %d: taken is %v", i, number, most, got)
		}
	}
}

func TestLimitsCountUpToTheMaximum(t *testing.T) {
	l := openTestLimits(t, t.TempDir())
	take(t, l, 7, 2, true, true, false, false)
	take(t, l, 8, 1, true, false)
	take(t, l, 7, 3, true, false) // raised
	take(t, l, 7, 1, false)       // lowered
	take(t, l, 0, 1, true, false)
	take(t, l, 1<<48-1, 1, true, false)
	for number, want := range map[uint64]int64{7: 3, 8: 1, 9: 0} {
		if got := l.Count(number); got != want {
			t.Errorf("link %d has %d clicks, want %d", number, got, want)
		}
	}
}

// A process that is killed closes nothing: opening the file of one that did not
// is what the next process sees.
func TestLimitsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	l := openTestLimits(t, dir)
	const links = 2*countersPerSegment + 10
	for n := range uint64(links) {
		l.Take(n, 5)
	}
	l.Take(3, 5)

	again := openTestLimits(t, dir)
	for n := range uint64(links) {
		want := int64(1)
		if n == 3 {
			want = 2
		}
		if got := again.Count(n); got != want {
			t.Fatalf("link %d has %d clicks, want %d", n, got, want)
		}
	}
	take(t, again, links, 1, true, false)
	take(t, again, 3, 3, true, false)
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	take(t, again, 4, 2, true, false)
	if got := openTestLimits(t, dir).Count(4); got != 2 {
		t.Errorf("link 4 has %d clicks after a click behind Close, want 2", got)
	}
}

func TestLimitsNeverAllowOneTooMany(t *testing.T) {
	l := openTestLimits(t, t.TempDir())
	const links, most = 200, 50
	var taken [links]atomic.Int64
	var clickers sync.WaitGroup
	for range 4 {
		clickers.Go(func() {
			for range most {
				for n := range uint64(links) {
					if l.Take(n, most) {
						taken[n].Add(1)
					}
				}
			}
		})
	}
	clickers.Wait()
	for n := range taken {
		if got := taken[n].Load(); got != most {
			t.Errorf("link %d had %d clicks taken, want %d", n, got, most)
		}
	}
}

func TestDamagedLimitsBeginAtZero(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"text":            func([]byte) []byte { return []byte("hello") },
		"header damaged":  func(b []byte) []byte { b[9] ^= 1; return b },
		"number damaged":  func(b []byte) []byte { b[limitsHeaderBytes+3] ^= 1; return b },
		"negative count":  func(b []byte) []byte { b[limitsHeaderBytes+15] = 0x80; return b },
		"count of nobody": func(b []byte) []byte { b[limitsHeaderBytes+10*counterBytes+8] = 1; return b },
		"header cut off":  func(b []byte) []byte { return b[:70] },
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := t.TempDir(), ""
			path = filepath.Join(dir, limitsName)
			l := openTestLimits(t, dir)
			take(t, l, 1, 1, true, false)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			var logged logLines
			again, err := OpenLimits(dir, logged.logger())
			if err != nil {
				t.Fatal(err)
			}
			take(t, again, 1, 1, true, false)
			if !strings.Contains(logged.String(), "begin again at zero") {
				t.Errorf("logged:\n%s", logged.String())
			}
			if _, err := os.Stat(path + ".damaged"); err != nil {
				t.Error(err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLimitsOfAProcessThatDiedWhileGrowing(t *testing.T) {
	dir := t.TempDir()
	l := openTestLimits(t, dir)
	take(t, l, 1, 2, true)
	f, err := os.OpenFile(filepath.Join(dir, limitsName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 12345)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := openTestLimits(t, dir)
	take(t, again, 1, 2, true, false)
	for n := range uint64(countersPerSegment + 5) {
		again.Take(n, 9)
	}
	if got := openTestLimits(t, dir).Count(countersPerSegment + 4); got != 1 {
		t.Errorf("a link has %d clicks, want 1", got)
	}
}

func TestHolesInLimitsAreForgiven(t *testing.T) {
	dir := t.TempDir()
	l := openTestLimits(t, dir)
	for n := range uint64(10) {
		l.Take(n, 9)
	}
	c := l.current.Load().at(4) // lost with the power
	c.link.Store(0)
	c.clicks.Store(0)
	again := openTestLimits(t, dir)
	if again.Count(4) != 0 || again.Count(9) != 1 {
		t.Errorf("counts are %d and %d", again.Count(4), again.Count(9))
	}
	take(t, again, 4, 1, true, false)
	take(t, again, 9, 2, true, false)
}

func TestLimitsHaveABound(t *testing.T) {
	var logged logLines
	l, err := OpenLimits(t.TempDir(), logged.logger())
	if err != nil {
		t.Fatal(err)
	}
	l.room = 3
	for n := range uint64(3) {
		take(t, l, n, 1, true, false)
	}
	take(t, l, 3, 1, true, true, true)
	if n := strings.Count(logged.String(), "too many links"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, logged.String())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestLimitsCountOnWhenTheFileCannotGrow(t *testing.T) {
	var logged logLines
	dir := t.TempDir()
	l, err := OpenLimits(dir, logged.logger())
	if err != nil {
		t.Fatal(err)
	}
	take(t, l, 1, 2, true)
	if err := l.Close(); err != nil { // its file can be written to no more
		t.Fatal(err)
	}
	for n := range uint64(countersPerSegment + 100) {
		l.Take(1000+n, 1)
	}
	take(t, l, 1000+countersPerSegment+50, 1, false)
	if n := strings.Count(logged.String(), "cannot grow"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, logged.String())
	}
	if got := openTestLimits(t, dir).Count(1); got != 1 {
		t.Errorf("link 1 has %d clicks, want 1", got)
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	l := openTestLimits(t, t.TempDir())
	l.Take(1<<40, 1e9)
	if n := testing.AllocsPerRun(100, func() { l.Take(1<<40, 1e9) }); n != 0 {
		t.Errorf("taking a click allocates %v times", n)
	}
}

func TestOpenLimitsNeedsItsDirectory(t *testing.T) {
	if _, err := OpenLimits(filepath.Join(t.TempDir(), "missing"), testLog(t)); err == nil {
		t.Error("no error")
	}
}
