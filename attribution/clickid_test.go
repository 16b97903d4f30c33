package attribution

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func testRing(t testing.TB) *ClickKeyring {
	t.Helper()
	ring, err := NewClickKeyring(7, map[byte][]byte{7: bytes.Repeat([]byte{1, 2}, 16), 6: bytes.Repeat([]byte{3, 4}, 16)})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestClickIDSaysWhatItWasMintedWith(t *testing.T) {
	ring := testRing(t)
	var m ClickMinter
	for _, want := range []ClickToken{
		{AtMs: 1_800_000_000_000, Link: 1, Verdict: Valid},
		{AtMs: 0, Link: maxLinkNumber, Verdict: RateAbove, Unpayable: LinkExpired},
		{AtMs: 1<<48 - 1, Link: 0, Verdict: Bot},
	} {
		id := m.Append(nil, ring, want, 42)
		if len(id) != ClickIDLength {
			t.Fatalf("click id has %d characters, want %d", len(id), ClickIDLength)
		}
		got, err := ring.OpenClickID(string(id))
		if err != nil || got != want {
			t.Errorf("opened %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestClickIDsSortByTime(t *testing.T) {
	ring := testRing(t)
	var m ClickMinter
	var ids []string
	for at := range int64(2000) {
		ids = append(ids, string(m.Append(nil, ring, ClickToken{AtMs: at * 37, Link: uint64(7919 * (2000 - at))}, uint64(at))))
	}
	if !slices.IsSorted(ids) {
		t.Error("click ids minted later sort before earlier ones")
	}
}

func TestEveryAlterationIsForged(t *testing.T) {
	ring := testRing(t)
	var m ClickMinter
	id := m.Append(nil, ring, ClickToken{AtMs: 1_800_000_000_000, Link: 99, Verdict: Valid}, 1)
	const alphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz="
	for i := range id {
		for _, c := range []byte(alphabet) {
			if c == id[i] {
				continue
			}
			altered := slices.Clone(id)
			altered[i] = c
			if _, err := m.Open(ring, altered); !errors.Is(err, ErrClickForged) {
				t.Fatalf("character %d changed to %q was accepted", i, c)
			}
		}
	}
	for _, id := range []string{"", "x", string(id) + "A", string(id[1:])} {
		if _, err := ring.OpenClickID(id); !errors.Is(err, ErrClickForged) {
			t.Errorf("%q was accepted", id)
		}
	}
}

// TestLineBreaksAreForged puts a line break in the place of the last character. What
// it stood for may be in the minter's memory still, so the same minter opens both.
func TestLineBreaksAreForged(t *testing.T) {
	ring := testRing(t)
	var m ClickMinter
	for random := range uint64(2000) { // one in 256 ends with bits that are all zero
		id := m.Append(nil, ring, ClickToken{AtMs: 1_800_000_000_000, Link: 99, Verdict: Valid}, random)
		for _, lineBreak := range []byte("\r\n") {
			if _, err := m.Open(ring, id); err != nil {
				t.Fatal(err)
			}
			altered := append(slices.Clone(id[:ClickIDLength-1]), lineBreak)
			if _, err := m.Open(ring, altered); !errors.Is(err, ErrClickForged) {
				t.Fatalf("%q was accepted", altered)
			}
			if _, err := ring.OpenClickID(string(altered)); !errors.Is(err, ErrClickForged) {
				t.Fatalf("%q was accepted", altered)
			}
		}
	}
}

func TestRotatedKeyStillOpens(t *testing.T) {
	old, _ := NewClickKeyring(6, map[byte][]byte{6: bytes.Repeat([]byte{3, 4}, 16)})
	var m ClickMinter
	id := m.Append(nil, old, ClickToken{AtMs: 5, Link: 6}, 7)
	if _, err := testRing(t).OpenClickID(string(id)); err != nil {
		t.Errorf("a click id of the previous key: %v", err)
	}
	stranger, _ := NewClickKeyring(6, map[byte][]byte{6: bytes.Repeat([]byte{9, 9}, 16)})
	if _, err := stranger.OpenClickID(string(id)); !errors.Is(err, ErrClickForged) {
		t.Errorf("a click id of another server: %v", err)
	}
}

func TestMintingDoesNotAllocate(t *testing.T) {
	ring := testRing(t)
	m := new(ClickMinter)
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		id := m.Append(buf[:0], ring, ClickToken{AtMs: 1, Link: 2}, 3)
		if _, err := m.Open(ring, id); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzOpenClickID(f *testing.F) {
	ring := testRing(f)
	var m ClickMinter
	f.Add(string(m.Append(nil, ring, ClickToken{AtMs: 1_800_000_000_000, Link: 99}, 1)))
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		token, err := ring.OpenClickID(id)
		if err == nil && token.Link > maxLinkNumber {
			t.Errorf("opened an impossible link number %d", token.Link)
		}
	})
}

func BenchmarkMintClickID(b *testing.B) {
	ring := testRing(b)
	m := new(ClickMinter)
	buf := make([]byte, 0, 64)
	for i := 0; b.Loop(); i++ {
		buf = m.Append(buf[:0], ring, ClickToken{AtMs: int64(i), Link: 2}, uint64(i))
	}
}
