package links

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tributary/attribution"
)

// snapshotBytes returns the snapshot of an index, without a disk.
func snapshotBytes(t interface{ Errorf(string, ...any) }, x *Index, catalog string) []byte {
	var b bytes.Buffer
	w := newBlockWriter(context.Background(), &b, func() error { return nil })
	_, err := x.encodeSnapshot(w, catalog)
	if err := errors.Join(err, w.finish()); err != nil && !errors.Is(err, errNotNow) {
		t.Errorf("writing a snapshot: %v", err)
	}
	return b.Bytes()
}

// snapshotExample is an index with some of everything.
func snapshotExample(t testing.TB) (*Index, []*attribution.LinkRoute) {
	x := newTestIndex(t)
	x.Apply(campaignChange(campaignRoute(2, 1)))
	vanity := linkRoute(77, 2, 1, "Summer-Sale")
	vanity.Vanity = true
	routes := []*attribution.LinkRoute{fullLink(1, "k3VbQ9xT"), linkRoute(2, 2, 1, "plainone"), vanity}
	for n := range uint64(200) {
		routes = append(routes, linkRoute(1000+n, 1, 1, fmt.Sprint("crowd", n)))
	}
	for _, l := range routes {
		x.Apply(linkChange(l))
	}
	waiting := linkRoute(5, 9, 9, "waiting")
	x.Apply(attribution.RouteChange{Number: 42, Link: waiting})
	return x, routes
}

func TestSnapshotRoundTrip(t *testing.T) {
	dir := t.TempDir()
	x, routes := snapshotExample(t)
	if change, err := x.writeSnapshot(t.Context(), dir, "catalog one"); err != nil || change != 42 {
		t.Fatalf("snapshot of change %d: %v", change, err)
	}
	y := emptyTestIndex(t, mapMemory)
	if err := y.loadSnapshot(dir, "catalog one"); err != nil {
		t.Fatal(err)
	}
	for _, l := range routes {
		wantEntry(t, y, l.Slug, l)
	}
	wantEntry(t, y, "SUMMER-SALE", routes[2])
	wantUnknown(t, y, "waiting")
	if a, known := y.AdvertiserByPublicKey("pk_1"); !known || a.Domains[0] != "shop1.example" {
		t.Errorf("advertiser is %+v", a)
	}
	if got, want := y.Stats(), x.Stats(); got.Links != want.Links || got.Change != 42 || got.Campaigns != want.Campaigns ||
		got.Advertisers != want.Advertisers || got.Targetings != want.Targetings {
		t.Errorf("figures are %+v, want %+v", got, want)
	}

	y.Apply(campaignChange(campaignRoute(9, 9)))
	y.Apply(advertiserChange(advertiserRoute(9)))
	wantEntry(t, y, "waiting", linkRoute(5, 9, 9, "waiting"))
	y.Apply(linkChange(linkRoute(1, 1, 1, "k3VbQ9xT")))
	wantEntry(t, y, "k3VbQ9xT", linkRoute(1, 1, 1, "k3VbQ9xT"))
	if n := y.Stats().Targetings; n != 0 {
		t.Errorf("%d targetings, want none", n)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the directory has %v: %v", files, err)
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	y := newTestIndex(t)
	if err := y.readSnapshot(bytes.NewReader(snapshotBytes(t, emptyTestIndex(t, heapMemory), "")), ""); err != nil {
		t.Fatal(err)
	}
	if s := y.Stats(); s.Links != 0 || s.Campaigns != 0 {
		t.Errorf("figures are %+v", s)
	}
}

func TestUnusableSnapshotsLeaveTheIndexAlone(t *testing.T) {
	x, _ := snapshotExample(t)
	good := snapshotBytes(t, x, "one")
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] ^= to
		return b
	}
	version := bytes.Clone(good)
	binary.LittleEndian.PutUint32(version[len(snapshotMagic):], snapshotVersion+1)
	for name, snapshot := range map[string][]byte{
		"empty":               {},
		"text":                []byte("hello"),
		"other magic":         changed(0, 1),
		"other version":       version,
		"header damaged":      changed(30, 1),
		"middle damaged":      changed(len(good)/2, 0x80),
		"end damaged":         changed(len(good)-1, 1),
		"cut in the middle":   good[:len(good)/2],
		"cut at the end":      good[:len(good)-1],
		"something follows":   append(bytes.Clone(good), 0),
		"of another catalog":  snapshotBytes(t, x, "two"),
		"without its records": withoutBlock(good, blockLinks),
		"without its names":   withoutBlock(good, blockCampaigns),
		"without targetings":  withoutBlock(good, blockTargetings),
		"huge block":          append(bytes.Clone(good[:12]), 'H', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			y := newTestIndex(t)
			l := linkRoute(1, 1, 1, "mine")
			y.Apply(linkChange(l))
			if err := y.readSnapshot(bytes.NewReader(snapshot), "one"); !errors.Is(err, errSnapshot) {
				t.Errorf("error is %v", err)
			}
			wantEntry(t, y, "mine", l)
			wantUnknown(t, y, "plainone")
		})
	}
}

func withoutBlock(snapshot []byte, kind byte) []byte {
	kept := bytes.Clone(snapshot[:12])
	for rest := snapshot[12:]; len(rest) > 0; {
		size := blockHeaderBytes + int(binary.LittleEndian.Uint32(rest[1:]))
		if rest[0] != kind {
			kept = append(kept, rest[:size]...)
		}
		rest = rest[size:]
	}
	return kept
}

func TestDamagedSnapshotNeverPanics(t *testing.T) {
	x, _ := snapshotExample(t)
	good := snapshotBytes(t, x, "one")
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := bytes.Clone(good)
		for range 1 + random.IntN(4) {
			b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
		}
		if err := newTestIndex(t).readSnapshot(bytes.NewReader(b), "one"); !errors.Is(err, errSnapshot) {
			t.Fatalf("error is %v", err)
		}
	}
}

// FuzzRecord makes sure that bytes which pass for a record can be looked up and
// those which do not are told apart, whatever they are.
func FuzzRecord(f *testing.F) {
	for _, l := range []*attribution.LinkRoute{linkRoute(1, 1, 1, "k3VbQ9xT"), fullLink(2, "Summer-Sale")} {
		record := appendRecord(nil, nil, l, references{targetingID: 1})
		f.Add(record[2:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r fields
		if !r.parse(body) || !attribution.ValidLinkPart(r.linkPart) {
			return
		}
		if key := keyOf(body); key.number != r.number || !bytes.Equal(key.slug, r.slug) || key.vanity != r.vanity {
			t.Errorf("key %+v of record %+v", key, r.recordKey)
		}
		e := Entry{memory: body}
		e.take(&r, attribution.AppendCampaignPart(nil, "cmp"), attribution.AppendAdvertiserPart(nil, "adv"), attribution.AppendLabelPart(nil, "x", "USD"))
		if id, err := attribution.DecodeIdentity(e.Identity); err != nil || id.Number != r.number || id.CampaignID != "cmp" || id.Currency != "USD" {
			t.Errorf("identity %+v: %v", id, err)
		}
	})
}

func TestSnapshotIsWrittenWhileLinksChange(t *testing.T) {
	x := newTestIndex(t)
	for n := range uint64(500) {
		x.Apply(linkChange(versioned(n, 0)))
	}
	written := make(chan []byte)
	go func() { written <- snapshotBytes(t, x, "one") }()
	var snapshot []byte
	for i := 1; snapshot == nil; i++ {
		x.Apply(linkChange(versioned(uint64(i%500), i)))
		select {
		case snapshot = <-written:
		default:
		}
	}
	y := emptyTestIndex(t, heapMemory)
	if err := y.readSnapshot(bytes.NewReader(snapshot), "one"); err != nil {
		t.Fatal(err)
	}
	var e Entry
	for n := range uint64(500) {
		if err := checkVersion(y, n, &e); err != nil {
			t.Error(err)
		}
	}
}

func TestFailedSnapshotLeavesTheEarlierOne(t *testing.T) {
	dir := t.TempDir()
	x, _ := snapshotExample(t)
	if _, err := x.writeSnapshot(t.Context(), dir, "one"); err != nil {
		t.Fatal(err)
	}
	x.locked((*store).beginReload)
	if _, err := x.writeSnapshot(t.Context(), dir, "one"); !errors.Is(err, errNotNow) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, snapshotName+".tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished snapshot is still there: %v", err)
	}
	if err := newTestIndex(t).loadSnapshot(dir, "one"); err != nil {
		t.Error(err)
	}
}

// A snapshot keeps these types by the names of their fields, and links by
// record.go. Whoever changes one of them must count snapshotVersion up.
func TestSnapshotVersionFollowsItsTypes(t *testing.T) {
	var shape []string
	for _, v := range []any{
		attribution.LinkIdentity{}, attribution.LinkRoute{}, attribution.CampaignRoute{}, attribution.CampaignState{},
		attribution.AdvertiserRoute{}, attribution.DestinationRule{}, attribution.RuleWhen{}, attribution.SplitArm{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v)) {
			shape = append(shape, field.Name)
		}
		shape = append(shape, "/")
	}
	const want = "2: Number LinkID TaskID PostID CampaignID CreatorID AdvertiserID Platform Currency / " +
		"Identity Slug Vanity Destination Sub Rules Split ExpiresAtMs MaxClicks Disabled Deleted / " +
		"ID AdvertiserID State Destination InactiveDestination / " +
		"Approved Paused Closed OverBudget StartsAtMs EndsAtMs / " +
		"ID Domains ClickParam PublicKey / When Destination / " +
		"Countries Devices OS Languages After Before Query / Destination Weight /"
	if got := fmt.Sprint(snapshotVersion, ": ", strings.Join(shape, " ")); got != want {
		t.Errorf("version and types are\n%s, want\n%s", got, want)
	}
}

func TestSnapshotThatIsGivenUpLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	x, _ := snapshotExample(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.writeSnapshot(ctx, dir, "one"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("the directory has %v: %v", files, err)
	}
}
