package visitor

import (
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const noon = 20_000*dayMs + dayMs/2

func open(t *testing.T, path string, nowMs int64) *Salts {
	t.Helper()
	s, err := OpenSalts(path, nowMs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// turnedTo waits until the salts of a day are in use.
func (s *Salts) turnedTo(t *testing.T, day int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.current.Load().day != day; {
		if time.Now().After(deadline) {
			t.Fatalf("the salts did not turn to day %d", day)
		}
		s.of(day*dayMs, "::1", "", "")
		runtime.Gosched()
	}
}

func (s *Salts) of(nowMs int64, addr, userAgent, advertiser string) (today, yesterday uint64) {
	today, yesterday, _ = s.Visitor(nil, nowMs, netip.MustParseAddr(addr), []byte(userAgent), advertiser)
	return today, yesterday
}

func TestVisitorIsAddressUserAgentAndAdvertiser(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "salts"), noon)
	same, _ := s.of(noon, "203.0.113.7", "Chrome", "adv_1")
	if again, yesterday := s.of(noon+1000, "203.0.113.7", "Chrome", "adv_1"); again != same || yesterday != 0 {
		t.Errorf("the same shopper hashed to %d and %d (yesterday %d)", same, again, yesterday)
	}
	for _, other := range [][3]string{
		{"203.0.113.8", "Chrome", "adv_1"}, {"203.0.113.7", "Safari", "adv_1"}, {"203.0.113.7", "Chrome", "adv_2"},
		{"203.0.113.7", "1Chrome", "adv_"}, {"2001:db8::1", "Chrome", "adv_1"},
	} {
		if hash, _ := s.of(noon, other[0], other[1], other[2]); hash == same {
			t.Errorf("%v hashed like another shopper", other)
		}
	}
}

func TestYesterdaysSaltMatchesForOneWindow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	s := open(t, path, noon)
	before, _ := s.of(noon, "203.0.113.7", "Chrome", "adv_1")
	if hash, _ := s.of(midnight, "203.0.113.7", "Chrome", "adv_1"); hash != before {
		t.Error("the first click of a day waited for its salt")
	}
	s.turnedTo(t, 20_001)
	if hash, _ := s.of(midnight-1, "203.0.113.7", "Chrome", "adv_1"); s.current.Load().day != 20_001 {
		t.Errorf("a late click turned the salts back (hash %d)", hash)
	}
	today, yesterday := s.of(midnight+Window-1, "203.0.113.7", "Chrome", "adv_1")
	if yesterday != before || today == before {
		t.Errorf("just after midnight: today %d, yesterday %d, want yesterday %d", today, yesterday, before)
	}
	if _, yesterday = s.of(midnight+Window, "203.0.113.7", "Chrome", "adv_1"); yesterday != 0 {
		t.Error("yesterday's salt still matches after its window")
	}
	reopened := open(t, path, midnight+1)
	if again, y := reopened.of(midnight+1, "203.0.113.7", "Chrome", "adv_1"); again != today || y != before {
		t.Error("a restart changed the salts")
	}
	later := open(t, path, noon+5*dayMs)
	if hash, y := later.of(noon+5*dayMs, "203.0.113.7", "Chrome", "adv_1"); hash == today || y != 0 {
		t.Error("a salt several days old is still in use")
	}
}

func TestSaltsOnDiskArePrivateAndForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	s := open(t, path, noon)
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	s.turnedTo(t, 20_001)
	s.turnedTo(t, 20_002)
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	oldSalt := strings.Split(string(first), `"`)[5]
	if strings.Contains(string(now), oldSalt) {
		t.Error("a salt two days old is still on disk")
	}
}

// onDisk is everything that lies where salts are kept.
func onDisk(t *testing.T, path string) string {
	t.Helper()
	var all strings.Builder
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	return all.String()
}

// secret is today's salt as files have it.
func (s *Salts) secret() string {
	today := s.current.Load().today
	return base64.StdEncoding.EncodeToString(today[:])
}

const midnight = 20_001 * dayMs

// TestSaltsAreForgottenWhereNobodyClicks has the traffic of a node end at noon.
func TestSaltsAreForgottenWhereNobodyClicks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	s := open(t, path, noon)
	first := s.secret()
	turn := func(nowMs int64) {
		t.Helper()
		if err := s.Turn(nowMs); err != nil {
			t.Fatal(err)
		}
	}
	turn(midnight - 1)
	if s.secret() != first {
		t.Error("the salt changed within its day")
	}
	before, _ := s.of(midnight-1, "203.0.113.7", "Chrome", "adv_1")
	turn(midnight + 1)
	if s.secret() == first || !strings.Contains(onDisk(t, path), first) {
		t.Error("the day began without a new salt, or without yesterday's")
	}
	for _, late := range []int64{0, lateMs - 1} { // hits that read their clock before come last
		turn(midnight + Window + late)
		if _, yesterday := s.of(midnight+Window-1, "203.0.113.7", "Chrome", "adv_1"); yesterday != before {
			t.Error("yesterday's salt is forgotten while a hit may need it")
		}
	}
	turn(midnight + Window + lateMs)
	if len(s.current.Load().earlier) > 0 || strings.Contains(onDisk(t, path), first) {
		t.Error("yesterday's salt is kept though nothing needs it")
	}
	second := s.secret()
	turn(midnight + 5*dayMs)
	if len(s.current.Load().earlier) > 0 || strings.Contains(onDisk(t, path), second) {
		t.Error("a salt several days old is kept")
	}
}

// TestRestartForgets has a process end at every point, and start again once its
// salts' time is over.
func TestRestartForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	s := open(t, path, noon)
	first := s.secret()
	left := filepath.Join(filepath.Dir(path), ".salts-123")
	if err := os.WriteFile(left, []byte(first), 0o600); err != nil { // it ended while it wrote
		t.Fatal(err)
	}
	if s = open(t, path, midnight+Window-1); !strings.Contains(onDisk(t, path), first) {
		t.Error("a restart forgot what a hit may need")
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what was not finished is there still: %v", err)
	}
	second := s.secret()
	if s = open(t, path, midnight+Window+lateMs); s.secret() != second || strings.Contains(onDisk(t, path), first) {
		t.Error("a restart within the day did not keep today's salt alone")
	}
	if open(t, path, midnight+dayMs+Window+lateMs); strings.Contains(onDisk(t, path), second) {
		t.Error("a restart after the window keeps the salt of the day before")
	}
	if err := Remove(path); err != nil || onDisk(t, path) != "" {
		t.Errorf("salts that were removed are there: %v", err)
	}
	if err := Remove(path); err != nil {
		t.Errorf("nothing is there to be removed: %v", err)
	}
}

func TestSaltsThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "salts")
	s := open(t, path, noon)
	first := s.secret()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Turn(midnight + Window + lateMs); err == nil {
			t.Error("nobody is told that salts cannot be written")
		}
	}
	if s.secret() == first {
		t.Error("the old salt is in use because the new one cannot be written")
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Turn(midnight + Window + lateMs + 1); err != nil {
		t.Fatal(err)
	}
	if kept := onDisk(t, path); strings.Contains(kept, first) || !strings.Contains(kept, s.secret()) {
		t.Error("what is on disk is not what is in use")
	}
}

func TestClockThatWasSetBackTurnsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	s := open(t, path, noon+400*dayMs) // a clock that was wrong for a moment
	wrong := s.secret()
	if err := s.Turn(noon + 400*dayMs - dayMs/2 - Window); err != nil || s.secret() != wrong {
		t.Errorf("a clock that was set back a little changed the salt: %v", err)
	}
	if err := s.Turn(noon); err != nil || s.secret() == wrong || s.current.Load().day != 20_000 || strings.Contains(onDisk(t, path), wrong) {
		t.Errorf("the salt of a day to come stays for a year: %v", err)
	}
}

func TestDamagedSaltsAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "salts")
	if err := os.WriteFile(path, []byte(`{"day":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSalts(path, noon); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("got %v, want an error that says what to do", err)
	}
}

func TestVisitorDoesNotAllocate(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "salts"), noon)
	addr := netip.MustParseAddr("203.0.113.7")
	scratch := make([]byte, 0, 512)
	userAgent, advertiser := []byte(strings.Repeat("x", 120)), "adv_1"
	if n := testing.AllocsPerRun(100, func() { _, _, scratch = s.Visitor(scratch, noon, addr, userAgent, advertiser) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkVisitor(b *testing.B) {
	s, err := OpenSalts(filepath.Join(b.TempDir(), "salts"), noon)
	if err != nil {
		b.Fatal(err)
	}
	addr := netip.MustParseAddr("203.0.113.7")
	scratch := make([]byte, 0, 512)
	userAgent, advertiser := []byte(strings.Repeat("x", 120)), "adv_1"
	for b.Loop() {
		_, _, scratch = s.Visitor(scratch, noon, addr, userAgent, advertiser)
	}
}

func TestMovedClockTurnsAtOnce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "salts"), noon)
	first, _ := s.of(noon, "203.0.113.7", "Chrome", "adv_1")
	for _, days := range []int64{30, -300} {
		moved := noon + days*dayMs
		if err := s.Turn(moved); err != nil {
			t.Fatal(err)
		}
		once, _ := s.of(moved, "203.0.113.7", "Chrome", "adv_1")
		again, _ := s.of(moved, "203.0.113.7", "Chrome", "adv_1")
		if once == first || once != again {
			t.Errorf("%d days on the shopper is %d and %d, and was %d", days, once, again, first)
		}
	}
}
