package dashboard

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"
)

// How a check came out.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
)

// A check is one part of the process in a sentence, and what to do about it.
type check struct {
	What  string
	State string
	Said  string
	Do    string // empty: nothing
}

// When something that waits is late, and when it is wrong.
const (
	lateClicks  = 15 * time.Second
	wrongClicks = 10 * time.Minute
	lateReports = 10 * time.Second
	wrongReport = 5 * time.Minute
	lateCopy    = 30 * time.Second
	lowDisk     = 10 << 30
	emptyDisk   = 1 << 30
	slowFsync   = 100 * time.Millisecond
)

// checksOf says how a process does, the worst first. quarantined: reports of
// merchants wait in quarantine.
func checksOf(v Vitals, quarantined bool, now time.Time) []check {
	checks := []check{
		v.taking(), v.shipping(now), v.settling(now), v.books(), v.ended(), v.analytics(), v.truth(), v.copying(), v.disk(), v.kept(quarantined),
	}
	if c, silent := v.neighbours(now); silent {
		checks = append(checks, c)
	}
	order := map[string]int{checkFailed: 0, checkWarning: 1, checkOK: 2}
	slices.SortStableFunc(checks, func(a, b check) int { return order[a.State] - order[b.State] })
	return checks
}

func worstOf(checks []check) string {
	worst := checkOK
	for _, c := range checks {
		if c.State == checkFailed || c.State == checkWarning && worst == checkOK {
			worst = c.State
		}
	}
	return worst
}

func (v *Vitals) taking() check {
	c := check{What: "Taking clicks and reports", State: checkOK, Said: "Shoppers are redirected, and what merchants report is taken."}
	switch {
	case !v.Tracker:
		c.Said = "This process takes no clicks: its roles do not include tracker."
	case !v.Clicks.Writable || !v.Reports.Writable:
		c.State, c.Said = checkFailed, "The disk takes no records. Shoppers are still redirected, but their clicks are not recorded, and merchants are asked to try again."
		c.Do = "Free space on the data directory's disk, or look at its health. It goes on by itself, without a restart."
		if why := v.Clicks.LastError + v.Reports.LastError; why != "" {
			c.Said += " The disk said: " + why + "."
		}
	case v.Ready != "":
		c.State, c.Said, c.Do = checkFailed, "The process is not ready: "+v.Ready+".", "See the log of the process."
	case v.Clicks.Unrecorded > 0:
		c.State, c.Said = checkWarning, fmt.Sprintf("%s redirected without a record since the start: the disk did not take them in time.", plural(int(v.Clicks.Unrecorded), "click"))
		c.Do = "Look at the disk: it was full or slow. Unrecorded clicks cannot be brought back."
	case v.Clicks.Fsync > slowFsync:
		c.State, c.Said = checkWarning, fmt.Sprintf("The disk needs %d ms to make records safe. Merchants wait that long for each answer.", v.Clicks.Fsync.Milliseconds())
		c.Do = "Put the data directory on a faster disk."
	}
	return c
}

func (v *Vitals) shipping(now time.Time) check {
	c := check{What: "Clicks to reports", State: checkOK, Said: "Clicks are in reports within seconds."}
	behind := ageOf(v.Clicks.Oldest, now)
	switch {
	case behind >= wrongClicks:
		c.State = checkFailed
	case behind >= lateClicks:
		c.State = checkWarning
	default:
		return c
	}
	c.Said = fmt.Sprintf("%s on disk for reports, the oldest since %s. Nothing is lost; reports lag behind.", waiting(v.Clicks.Waiting, "click"), lasting(behind))
	c.Do = "They are stored once ClickHouse accepts them. If ClickHouse is answering, the log says what it refused."
	return c
}

func (v *Vitals) settling(now time.Time) check {
	c := check{What: "Settling conversions", State: checkOK, Said: "Conversions are decided as they come."}
	behind := ageOf(v.Reports.Oldest, now)
	switch {
	case behind >= wrongReport:
		c.State = checkFailed
	case behind >= lateReports:
		c.State = checkWarning
	default:
		return c
	}
	c.Said = fmt.Sprintf("%s to be settled, the oldest since %s. They are safe on disk.", waiting(v.Reports.Waiting, "report"), lasting(behind))
	c.Do = "Check that the database answers; the log says what it refuses."
	return c
}

func (v *Vitals) books() check {
	return accounted(check{What: "Every click accounted for", State: checkOK, Said: "Every click that was received is stored, on its way, or in quarantine."},
		"click", v.Books.Missing(), v.Books.Failed, "ClickHouse")
}

func (v *Vitals) ended() check {
	return accounted(check{What: "Every report accounted for", State: checkOK, Said: "Everything merchants reported is accepted, known already, refused with a reason, or waits to be settled."},
		"report", v.Ended.Missing(), v.Ended.Failed, "the database")
}

// neighbours is a check of nodes that are not heard of; false when there are none.
func (v *Vitals) neighbours(now time.Time) (check, bool) {
	for _, n := range v.Nodes {
		if n.Silent {
			return check{
				What: "Other nodes", State: checkFailed,
				Said: fmt.Sprintf("%s (%s) has not been heard of for %s. Reports reach no further than it did, and clicks that are paid by the hour wait.", n.Machine, n.Roles, lasting(now.Sub(n.Seen))),
				Do:   "Start it again, or drain its disk elsewhere (tributary drain). If the disk is lost too: tributary nodes forget.",
			}, true
		}
	}
	return check{}, false
}

// accounted is a check of an identity; good is what it says when nothing is missing.
func accounted(good check, one string, missing int64, failed, store string) check {
	c := good
	c.State, c.Do = checkWarning, "Look again in a minute. If the number stays, run: tributary audit"
	switch {
	case failed != "":
		c.Said, c.Do = "This cannot be added up now: "+failed+".", "Look again when "+store+" answers."
	case missing > 0:
		c.Said = fmt.Sprintf("%s on the way at this moment, or missing.", plural(int(missing), one))
	case missing < 0:
		c.Said = fmt.Sprintf("%s more stored than received.", plural(int(-missing), one))
	default:
		return good
	}
	return c
}

func (v *Vitals) analytics() check {
	s := v.ClickHouse
	c := check{What: "ClickHouse", State: checkOK, Said: s.Kind + " answers."}
	switch {
	case s.Failed != "":
		c.State, c.Said = checkFailed, "ClickHouse does not answer: "+s.Failed+". Redirects and conversions go on; reports stand still."
		c.Do = "Start it, or check --clickhouse and the network. What waits is brought in by itself."
		if s.Restarts > 0 {
			c.Do = "The embedded one is started again by itself. If it goes on dying, look for its reason in the log: often memory."
		}
	case s.Restarts > 0:
		c.State, c.Said = checkWarning, fmt.Sprintf("%s answers, and was started again %s since the start.", s.Kind, plural(s.Restarts, "time"))
		c.Do = "Nothing is lost. If it happens again, give the machine more memory; the log has the reason."
	}
	return c
}

func (v *Vitals) truth() check {
	s := v.Database
	if s.Failed != "" {
		return check{"Database", checkFailed, "The database does not answer: " + s.Failed + ". Redirects go on; changes and settling wait.",
			"Start it, or check --database and the network."}
	}
	return check{What: "Database", State: checkOK, Said: s.Kind + " answers."}
}

func (v *Vitals) copying() check {
	c := check{What: "Money to reports", State: checkOK, Said: "Reports of actions and money are up to date."}
	if v.CopyBehind < 0 {
		c.State, c.Said = checkWarning, "Nothing was copied from the ledger since the start: reports of actions and money stand still. Balances and payouts do not: they are read from the ledger."
		c.Do = "They catch up by themselves once ClickHouse answers."
	} else if v.CopyBehind > lateCopy {
		c.State, c.Said = checkWarning, "Reports of money are "+lasting(v.CopyBehind)+" behind the ledger. Balances and payouts are not: they are read from the ledger."
		c.Do = "They catch up by themselves once ClickHouse answers."
	}
	for _, reader := range slices.Sorted(maps.Keys(v.Outbox)) {
		if waits := v.Outbox[reader]; waits > 100_000 {
			c.State = checkWarning
			c.Said += fmt.Sprintf(" %s messages wait for %s.", count(waits), reader)
		}
	}
	return c
}

func (v *Vitals) disk() check {
	c := check{What: "Disk", State: checkOK, Said: bytesInWords(v.DiskFree) + " are free."}
	switch {
	case v.DiskFree < 0:
		c.Said = "How much is free is not known on this system."
	case v.DiskFree < emptyDisk:
		c.State, c.Said, c.Do = checkFailed, "The disk is full: "+bytesInWords(v.DiskFree)+" are free.", "Free space, or shorten --retention. Redirects go on all the while."
	case v.DiskFree < lowDisk:
		c.State, c.Said, c.Do = checkWarning, "Only "+bytesInWords(v.DiskFree)+" are free.", "Free space soon, or shorten --retention."
	}
	return c
}

func (v *Vitals) kept(quarantined bool) check {
	c := check{What: "Quarantine", State: checkOK, Said: "Nothing waits in quarantine."}
	var clicks uint64
	for _, n := range v.Quarantined {
		clicks += n
	}
	switch {
	case clicks > 0 && quarantined:
		c.State, c.Said = checkWarning, fmt.Sprintf("Reports of merchants and %s wait in quarantine.", plural(int(clicks), "click"))
	case clicks > 0:
		c.State, c.Said = checkWarning, fmt.Sprintf("%s in quarantine.", waiting(clicks, "click"))
	case quarantined:
		c.State, c.Said = checkWarning, "Reports of merchants wait in quarantine."
	}
	if c.State != checkOK {
		c.Do = "See Quarantine for the reasons; replay what you have fixed."
	}
	return c
}

// waiting says how many wait: 1 click waits, 2 clicks wait.
func waiting(n uint64, what string) string {
	if n == 1 {
		return "1 " + what + " waits"
	}
	return fmt.Sprintf("%s %ss wait", count(n), what)
}

func ageOf(at, now time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at))
}

// Age is how long something has waited.
func (l LogVitals) Age() time.Duration { return ageOf(l.Oldest, time.Now()) }

// liveAddress is the stream of clicks and actions, narrowed.
func liveAddress(advertiserID, verdict string) string {
	query := url.Values{}
	if advertiserID != "" {
		query.Set("advertiser_id", advertiserID)
	}
	if verdict != "" {
		query.Set("verdict", verdict)
	}
	if len(query) == 0 {
		return "/v1/live"
	}
	return "/v1/live?" + query.Encode()
}
