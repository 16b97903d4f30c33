package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/ingest/spool"
	"tributary/schema/schematest"
)

// userAgents are real browsers' strings.
func userAgents(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "node_modules", "user-agents", "dist", "user-agents.json"))
	if err != nil {
		t.Fatalf("%v; install it with `make deps`", err)
	}
	var entries []struct{ UserAgent string }
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, e := range entries {
		all = append(all, []byte(e.UserAgent))
	}
	return all
}

// traffic makes the records of a busy day: 300 links of 40 campaigns, real
// browsers, shoppers of whom every fourth comes back.
func traffic(t testing.TB, clicks int, put func([]byte)) {
	agents := userAgents(t)
	rng := rand.New(rand.NewPCG(1, 2))
	ring, err := attribution.NewClickKeyring(1, map[byte][]byte{1: make([]byte, attribution.ClickKeyBytes)})
	if err != nil {
		t.Fatal(err)
	}
	id := func(prefix string, n int) string {
		return attribution.MakeID(prefix, 1_800_000_000_000, [10]byte{9: byte(n), 8: byte(n >> 8)})
	}
	var identities [][]byte
	for n := range 300 {
		identities = append(identities, attribution.AppendIdentity(nil, &attribution.LinkIdentity{
			Number: uint64(n), LinkID: id("lnk_", n), TaskID: id("tsk_", n), CampaignID: id("cmp_", n/8), CreatorID: id("crt_", n%100),
			AdvertiserID: id("adv_", n/40), Platform: attribution.Platforms()[n%6], Currency: "USD",
		}))
	}
	countries := []string{"TH", "US", "JP", "DE", "SG", "VN", "ID", "GB"}
	hosts := []string{"", "l.instagram.com", "www.tiktok.com", "t.co", "www.youtube.com", "www.google.com"}
	var minter attribution.ClickMinter
	var record []byte
	for n := range clicks {
		link := rng.IntN(300)
		atMs := day.UnixMilli() + int64(n/100) // 100,000 clicks a second
		clickID := minter.Append(nil, ring, attribution.ClickToken{AtMs: atMs, Link: uint64(link)}, rng.Uint64())
		place := rng.IntN(500)
		c := attribution.Click{
			ID: clickID, AtMs: atMs, Identity: identities[link], RulesVersion: 3, Visitor: rng.Uint64N(uint64(clicks)*2) + 1,
			ASN: uint32(64500 + place%80), Country: []byte(countries[place%8]), City: fmt.Appendf(nil, "City %d", place), ASOrg: fmt.Appendf(nil, "Network %d", place%80),
			Network:     fmt.Appendf(nil, "203.%d.%d.0/24", place%250, rng.IntN(250)),
			Destination: append([]byte("https://shop.example/products/summer?utm_source=creator&tcid="), clickID...),
			UserAgent:   agents[rng.IntN(3000)], RefererHost: []byte(hosts[rng.IntN(len(hosts))]), Language: []byte("en"),
		}
		if rng.IntN(10) == 0 {
			c.Verdict, c.Reasons = attribution.Bot, attribution.ReasonCrawler
		}
		record = attribution.AppendClick(record[:0], &c)
		put(record)
	}
}

// BenchmarkDrain ships a spool of a million clicks into the embedded engine:
//
//	go test -run xxx -bench Drain -benchtime 1x ./ingest
func BenchmarkDrain(b *testing.B) {
	const clicks = 1_000_000
	for b.Loop() {
		b.StopTimer()
		conn := schematest.Start(b)
		dir := b.TempDir()
		log, err := spool.Open(spool.Options{Dir: filepath.Join(dir, "clicks"), SyncWithin: 20 * time.Millisecond, MaxWait: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		traffic(b, clicks, func(record []byte) {
			if err := log.Append(0, record); err != nil {
				b.Fatal(err)
			}
		})
		if err := log.Sync(); err != nil {
			b.Fatal(err)
		}
		quarantine, err := OpenQuarantine(filepath.Join(dir, "quarantine"), time.Now, nil)
		if err != nil {
			b.Fatal(err)
		}
		s, err := NewShipper(Options{Name: "clicks", Node: "node-1", Dir: dir, Log: log, Table: NewClicks(conn, NewMemoryWindow(0)), ClickHouse: conn, Quarantine: quarantine})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		usedUs := cpuUs()
		b.StartTimer()
		began := time.Now()
		go func() { ended <- s.Run(ctx) }()
		eventually(b, "an empty log", func() bool { return log.Stats().Pending == 0 })
		b.ReportMetric(clicks/time.Since(began).Seconds(), "clicks/s")
		b.StopTimer()
		after := cpuUs()
		b.ReportMetric(float64(after[0]-usedUs[0])/clicks, "shipper-cpu-µs/click")
		b.ReportMetric(float64(after[1]-usedUs[1])/clicks, "engine-cpu-µs/click")
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		if got := count(b, conn, "SELECT sum(hits) FROM clicks_15m"); got != clicks {
			b.Fatalf("the rollup has %d hits, want %d", got, clicks)
		}
		log.Close()
		b.StartTimer()
	}
}

// cpuUs is the processor time that this process and its children used.
func cpuUs() (used [2]int64) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		var parent, user, system int64
		fmt.Sscan(fields[1], &parent)
		fmt.Sscan(fields[11], &user)
		fmt.Sscan(fields[12], &system)
		switch {
		case filepath.Base(filepath.Dir(name)) == fmt.Sprint(os.Getpid()):
			used[0] += (user + system) * 10_000
		case parent == int64(os.Getpid()):
			used[1] += (user + system) * 10_000
		}
	}
	return used
}

// BenchmarkEncode is the shipper's own work: records into columns.
func BenchmarkEncode(b *testing.B) {
	var records [][]byte
	traffic(b, 50_000, func(r []byte) { records = append(records, append([]byte(nil), r...)) })
	table := NewClicks(nil, NewMemoryWindow(0))
	block := table.NewBlock()
	for b.Loop() {
		block.Reset()
		for _, r := range records {
			if err := block.Append(r); err != nil {
				b.Fatal(err)
			}
		}
		if err := block.Seal(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/click")
}
