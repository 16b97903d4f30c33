package dashboard

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHealthIsSaidInSentences(t *testing.T) {
	now := time.Date(2027, 1, 10, 9, 0, 0, 0, time.UTC)
	well := func() Vitals {
		return Vitals{
			Tracker: true, Clicks: LogVitals{Writable: true}, Reports: LogVitals{Writable: true}, DiskFree: 50 << 30,
			ClickHouse: StoreVitals{Kind: "ClickHouse"}, Database: StoreVitals{Kind: "SQLite"}, Books: Books{Received: 9, Stored: 7, Spooled: 1, Quarantined: 1},
			Ended: ReportBooks{Received: 10, Accepted: 4, Duplicate: 3, Conflict: 1, Rejected: 1, Waiting: 1},
		}
	}
	for name, c := range map[string]struct {
		change      func(*Vitals)
		quarantined bool
		worst       string
		first       string // of the sentences
		do          string
	}{
		"all is well":          {worst: checkOK},
		"no tracker":           {change: func(v *Vitals) { v.Tracker = false }, worst: checkOK},
		"a disk that is full":  {change: func(v *Vitals) { v.Clicks.Writable, v.Clicks.LastError = false, "no space left on device" }, worst: checkFailed, first: "no space left", do: "Free space"},
		"not ready":            {change: func(v *Vitals) { v.Ready = "links are not loaded" }, worst: checkFailed, first: "links are not loaded"},
		"unrecorded clicks":    {change: func(v *Vitals) { v.Clicks.Unrecorded = 3 }, worst: checkWarning, first: "3 clicks redirected without a record", do: "disk"},
		"a slow disk":          {change: func(v *Vitals) { v.Clicks.Fsync = 250 * time.Millisecond }, worst: checkWarning, first: "250 ms", do: "faster disk"},
		"clicks are late":      {change: func(v *Vitals) { v.Clicks.Waiting, v.Clicks.Oldest = 1200, now.Add(-time.Minute) }, worst: checkWarning, first: "1,200 clicks wait", do: "accepts them"},
		"clicks are very late": {change: func(v *Vitals) { v.Clicks.Waiting, v.Clicks.Oldest = 1, now.Add(-3*time.Hour) }, worst: checkFailed, first: "1 click waits on disk for reports, the oldest since 3 hours"},
		"reports are late":     {change: func(v *Vitals) { v.Reports.Waiting, v.Reports.Oldest = 2, now.Add(-30*time.Second) }, worst: checkWarning, first: "2 reports wait", do: "database"},
		"a click is missing":   {change: func(v *Vitals) { v.Books.Stored-- }, worst: checkWarning, first: "1 click on the way", do: "tributary audit"},
		"a click too many":     {change: func(v *Vitals) { v.Books.Stored += 2 }, worst: checkWarning, first: "2 clicks more stored", do: "tributary audit"},
		"a report is missing":  {change: func(v *Vitals) { v.Ended.Accepted-- }, worst: checkWarning, first: "1 report on the way", do: "tributary audit"},
		"reports not counted":  {change: func(v *Vitals) { v.Ended.Failed = "no route" }, worst: checkWarning, first: "no route", do: "the database"},
		"ClickHouse is down": {change: func(v *Vitals) {
			v.ClickHouse.Failed, v.Books.Failed = "connection refused", "ClickHouse does not answer"
		}, worst: checkFailed, first: "connection refused", do: "--clickhouse"},
		"ClickHouse died":      {change: func(v *Vitals) { v.ClickHouse.Restarts = 2 }, worst: checkWarning, first: "started again 2 times", do: "memory"},
		"the database is down": {change: func(v *Vitals) { v.Database.Failed = "no route" }, worst: checkFailed, first: "no route", do: "--database"},
		"reports of money lag": {change: func(v *Vitals) { v.CopyBehind = 5 * time.Minute }, worst: checkWarning, first: "5 minutes behind the ledger"},
		"nothing was copied":   {change: func(v *Vitals) { v.CopyBehind = -1 }, worst: checkWarning, first: "Nothing was copied", do: "ClickHouse"},
		"messages wait":        {change: func(v *Vitals) { v.Outbox = map[string]int64{"events": 200_000, "clickhouse": 1} }, worst: checkWarning, first: "200,000 messages wait for events"},
		"little space":         {change: func(v *Vitals) { v.DiskFree = 3 << 30 }, worst: checkWarning, first: "3.2\u00a0GB are free", do: "--retention"},
		"no space":             {change: func(v *Vitals) { v.DiskFree = 3 << 20 }, worst: checkFailed, first: "The disk is full"},
		"a node is lost": {change: func(v *Vitals) {
			v.Nodes = []NodeVitals{{Machine: "t1", Roles: "tracker", Seen: now}, {Machine: "t2", Roles: "tracker", Seen: now.Add(-time.Hour), Silent: true}}
		}, worst: checkFailed, first: "t2 (tracker) has not been heard of for 1 hour", do: "tributary drain"},
		"space is not known":  {change: func(v *Vitals) { v.DiskFree = -1 }, worst: checkOK},
		"quarantined clicks":  {change: func(v *Vitals) { v.Quarantined = map[string]uint64{"refused": 2} }, worst: checkWarning, first: "2 clicks wait in quarantine", do: "replay"},
		"quarantined reports": {quarantined: true, worst: checkWarning, first: "Reports of merchants wait", do: "replay"},
	} {
		v := well()
		if c.change != nil {
			c.change(&v)
		}
		checks := checksOf(v, c.quarantined, now)
		if got := worstOf(checks); got != c.worst {
			t.Errorf("%s: it is %s, want %s", name, got, c.worst)
		}
		if !strings.Contains(checks[0].Said, c.first) || !strings.Contains(checks[0].Do, c.do) {
			t.Errorf("%s: says %q, do %q; want %q, %q", name, checks[0].Said, checks[0].Do, c.first, c.do)
		}
		order := []string{checkFailed, checkWarning, checkOK}
		if !slices.IsSortedFunc(checks, func(a, b check) int { return slices.Index(order, a.State) - slices.Index(order, b.State) }) {
			t.Errorf("%s: the worst does not come first: %+v", name, checks)
		}
		for _, one := range checks {
			if one.State != checkOK && one.Do == "" && !strings.Contains(one.Said, "messages wait") {
				t.Errorf("%s: %s does not say what to do", name, one.What)
			}
		}
	}
}

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "under a second", time.Second: "1 second", 90 * time.Second: "1 minute", 2 * time.Hour: "2 hours", 61 * time.Minute: "1 hour 1 minute",
		72 * time.Hour: "3 days",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0\u00a0s", 240 * time.Millisecond: "0.2\u00a0s", 45 * time.Second: "45\u00a0s", 5 * time.Minute: "5\u00a0min", 49 * time.Hour: "49\u00a0h"} {
		if got := brief(d); got != want {
			t.Errorf("%v is %q in brief, want %q", d, got, want)
		}
	}
	if brief(-1) != "–" || behindNow(time.Time{}, time.Now()) != "–" {
		t.Error("what is not known is shown as no delay")
	}
	if got := liveAddress("adv_1", "bot"); got != "/v1/live?advertiser_id=adv_1&verdict=bot" {
		t.Errorf("the stream is at %s", got)
	}
}
