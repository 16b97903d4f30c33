package visitor

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// A table is an Agreement in memory, which may be away or lose what it has.
type table struct {
	salts map[int64][]byte
	away  bool
}

var errAway = errors.New("away")

func (a *table) Agree(_ context.Context, day int64, offer []byte, _ int64) ([]byte, error) {
	if a.away {
		return nil, errAway
	}
	if a.salts[day] == nil {
		a.salts[day] = bytes.Clone(offer)
	}
	return a.salts[day], nil
}

func agree(t *testing.T, s *Salts, with Agreement, nowMs int64) {
	t.Helper()
	if err := s.Agree(context.Background(), with, nowMs); err != nil {
		t.Fatal(err)
	}
}

func TestTrackersUseTheSameSalts(t *testing.T) {
	with := &table{salts: map[int64][]byte{}}
	pathB := filepath.Join(t.TempDir(), "b")
	a, b := open(t, filepath.Join(t.TempDir(), "a"), noon), open(t, pathB, noon)
	same := func(nowMs int64) bool {
		ofA, _ := a.of(nowMs, "203.0.113.7", "Chrome", "adv_1")
		ofB, _ := b.of(nowMs, "203.0.113.7", "Chrome", "adv_1")
		return ofA == ofB
	}
	if same(noon) {
		t.Fatal("salts of two trackers that never talked are equal")
	}
	agree(t, a, with, noon)
	before, _ := b.of(noon, "203.0.113.7", "Chrome", "adv_1")
	agree(t, b, with, noon+1)
	if !same(noon + 1) {
		t.Error("a shopper is two visitors")
	}
	if _, earlier := b.of(noon+1, "203.0.113.7", "Chrome", "adv_1"); earlier != before {
		t.Error("the salt that was in use before does not match any more")
	}
	if _, earlier := b.of(noon+1+Window, "203.0.113.7", "Chrome", "adv_1"); earlier != 0 {
		t.Error("the salt that was in use before matches for longer than a window")
	}

	const evening = noon + dayMs/2 - agreeAhead
	agree(t, b, with, evening)
	with.salts = map[int64][]byte{} // lost
	agree(t, b, with, evening+1)
	agree(t, a, with, evening+2)
	with.away = true
	b = open(t, pathB, evening+3) // what was agreed on outlives a restart
	a.turnedTo(t, 20_001)
	b.turnedTo(t, 20_001)
	if !same(20_001 * dayMs) {
		t.Error("at midnight, with nobody to ask, trackers turned to salts of their own")
	}
	if err := a.Agree(context.Background(), with, 20_001*dayMs); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
}

// TestAgreedSaltsAreForgottenWhereNobodyClicks has trackers that agree, on disk too:
// the salt that was another's before, and the day's, each when its time is over.
func TestAgreedSaltsAreForgottenWhereNobodyClicks(t *testing.T) {
	with := &table{salts: map[int64][]byte{}}
	path := filepath.Join(t.TempDir(), "salts")
	agree(t, open(t, filepath.Join(t.TempDir(), "other"), noon), with, noon)
	s := open(t, path, noon)
	own := s.secret()
	agree(t, s, with, noon)
	agreed := s.secret()
	if own == agreed || !strings.Contains(onDisk(t, path), own) {
		t.Fatal("the tracker did not take over the other's salt, or forgot its own at once")
	}
	agree(t, s, with, noon+Window+lateMs)
	if strings.Contains(onDisk(t, path), own) {
		t.Error("the tracker's own salt is kept a window after it was replaced")
	}
	agree(t, s, with, midnight-agreeAhead)
	with.away = true
	if err := s.Turn(midnight + Window + lateMs); err != nil || len(s.current.Load().earlier) > 0 || strings.Contains(onDisk(t, path), agreed) {
		t.Errorf("the salt of the day is kept while Redis is away: %v", err)
	}
	if tomorrow := base64.StdEncoding.EncodeToString(with.salts[20_001]); s.secret() != tomorrow {
		t.Error("a tracker that turned late did not turn to the salt agreed on")
	}
}

// TestNobodyCountsTwiceWhileSaltsChange has a shopper come again and again, always
// within the window of the time before, while trackers lose each other, agree,
// restart and turn to other days, and once find that another was faster: every hit
// knows one before it.
func TestNobodyCountsTwiceWhileSaltsChange(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		with := &table{salts: map[int64][]byte{}}
		path := filepath.Join(t.TempDir(), "salts")
		now := int64(noon+dayMs/2-2*Window) + random.Int64N(2*Window) // before midnight
		s := open(t, path, now)
		var others int
		lastSeen, last := map[uint64]int64{}, now
		for range 30 {
			now += 1 + random.Int64N(Window/4)
			switch random.IntN(8) {
			case 0:
				with.away = !with.away
			case 1:
				with.salts = map[int64][]byte{}
			case 2: // another tracker, which was not away, was faster
				if day := now/dayMs + int64(random.IntN(2)); others == 0 && with.salts[day] == nil {
					others++
					with.salts[day] = bytes.Repeat([]byte{9}, len(salt{}))
				}
			case 3:
				s = open(t, path, now)
			}
			if err := s.Agree(context.Background(), with, now); err != nil && !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			if len(s.current.Load().earlier) > 4 {
				t.Fatalf("%d salts still match", len(s.current.Load().earlier))
			}
			if now-last < Window*3/4 && random.IntN(4) > 0 {
				continue
			}
			last = now
			today, earlier := s.of(now, "203.0.113.7", "Chrome", "adv_1")
			known := len(lastSeen) == 0
			for _, hash := range []uint64{today, earlier} {
				at, seen := lastSeen[hash]
				known = known || hash != 0 && seen && now-at < Window
			}
			if !known {
				t.Fatalf("seed %d: at %s a shopper who was here minutes ago is new", seed, fmt.Sprint(now-noon))
			}
			for _, hash := range []uint64{today, earlier} {
				if hash != 0 {
					lastSeen[hash] = now
				}
			}
		}
	}
}
