package reports

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
	"tributary/schema/schematest"
)

// drawRecords draws actions as the ledger has them, in several currencies, some
// reversed, some received long after their event.
func drawRecords(n int) []ledger.ActionRecord {
	random := rand.New(rand.NewPCG(17, 4))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	start := time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC).UnixMilli()
	records := make([]ledger.ActionRecord, n)
	for i := range records {
		task := random.IntN(30)
		event := start + random.Int64N(20*24*3600)*1000*int64(random.IntN(2)) // half of them at one moment
		a := ledger.ActionRecord{
			ID: fmt.Sprintf("act_%06d", i), ConversionID: fmt.Sprintf("cnv_%05d", random.IntN(n)), AdvertiserID: fmt.Sprintf("adv_%d", task/15),
			CampaignID: fmt.Sprintf("cmp_%d", task/5), CreatorID: fmt.Sprintf("crt_%d", task%7), TaskID: fmt.Sprintf("tsk_%d", task),
			LinkID: fmt.Sprintf("lnk_%d", task*2+random.IntN(2)), Platform: []string{"instagram", "tiktok", "youtube"}[task%3],
			Event: pick("sale", "lead"), OrderID: fmt.Sprintf("order %d's", random.IntN(n)), ClickID: fmt.Sprintf("click-%d", i), Referral: pick("click", "code", "task"),
			Model: pick("last", "linear"), Credit: pick("1", "1/3", "2/5"), Quantity: 1 + random.Int64N(3), Currency: []string{"USD", "JPY", "KWD"}[task%3],
			AmountMinor: random.Int64N(90_000), PayoutMinor: random.Int64N(9_000) - 1_000, State: actionStates[random.IntN(6)], TermsVersion: 1 + random.Int64N(3),
			Seq: 2 + random.Int64N(4), EventTimeMs: event, ReceivedAtMs: event + random.Int64N(40*24*3600*1000), CreatedAtMs: event + 5, UpdatedAtMs: event + random.Int64N(9e8),
			LockAtMs: event + random.Int64N(1e9), PayAtMs: event + 2e9, Reasons: ledger.Reasons{},
		}
		a.IntendedMinor, a.CostMinor = a.PayoutMinor+random.Int64N(50), a.PayoutMinor*3/2
		switch a.Referral {
		case "code":
			a.Code, a.LinkID, a.ClickID = "Code"+fmt.Sprint(task%4), "", ""
		case "click":
			a.ClickTimeMs = event - random.Int64N(1e9)
		}
		if a.State == "held" {
			a.Reasons = ledger.Reasons{ledger.ReasonOverBudget, ledger.ReasonUnsigned}[random.IntN(2):]
		}
		if a.State == "reversed" {
			a.Reversal, a.ReversedAtMs, a.Notes = pick("returned", "fraud"), event+7e8, pick("", "Sent back; übel", "=1+1")
		}
		if a.State == "paid" {
			a.LockedAtMs, a.PayableAtMs, a.PaidAtMs, a.PayoutID = a.LockAtMs, a.PayAtMs, a.PayAtMs+1, fmt.Sprintf("pay_%d", random.IntN(9))
		}
		records[i] = a
	}
	return records
}

// storeRecords stores actions as they are copied, beside versions that are stale,
// of which some come late.
func storeRecords(t testing.TB, conn driver.Conn, records []ledger.ActionRecord) {
	t.Helper()
	for _, version := range []int64{1, 0, 2} {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(fmt.Sprint(t.Name(), version))))
		batch, err := conn.PrepareBatch(ctx, `INSERT INTO actions (id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, code,
			platform, event, order_id, click_id, referral, model, credit, quantity, currency, amount_minor, intended_minor, payout_minor, cost_minor,
			state, reasons, reversal, notes, click_time, event_time, received_at, lock_at, pay_at, locked_at, payable_at, paid_at, reversed_at, payout_id,
			terms_version, created_at, updated_at, seq)`)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range records {
			if version == 0 && i%3 == 0 {
				continue
			}
			if version < 2 { // stale
				a.State, a.PayoutMinor, a.AmountMinor, a.Seq, a.Notes = "pending", 4_200, a.AmountMinor+1, version, "stale"
			}
			at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
			err := batch.Append(a.ID, a.ConversionID, a.AdvertiserID, a.CampaignID, a.CreatorID, a.TaskID, a.LinkID, a.Code, a.Platform, a.Event, a.OrderID,
				a.ClickID, a.Referral, a.Model, a.Credit, a.Quantity, a.Currency, a.AmountMinor, a.IntendedMinor, a.PayoutMinor, a.CostMinor, a.State,
				[]string(a.Reasons), a.Reversal, a.Notes, at(a.ClickTimeMs), at(a.EventTimeMs), at(a.ReceivedAtMs), at(a.LockAtMs), at(a.PayAtMs),
				at(a.LockedAtMs), at(a.PayableAtMs), at(a.PaidAtMs), at(a.ReversedAtMs), a.PayoutID, uint32(a.TermsVersion), at(a.CreatedAtMs),
				at(a.UpdatedAtMs), uint64(a.Seq))
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
	}
}

func newestFirst(records []ledger.ActionRecord) {
	slices.SortFunc(records, func(a, b ledger.ActionRecord) int {
		return cmp.Or(cmp.Compare(b.EventTimeMs, a.EventTimeMs), strings.Compare(b.ID, a.ID))
	})
}

func TestTheListingHasWhatAFilterKeeps(t *testing.T) {
	conn := schematest.Start(t)
	records := drawRecords(1_500)
	storeRecords(t, conn, records)
	newestFirst(records)
	reports := New(conn, upToDate{}, agencies{"cmp_1"})
	ms := func(text string) int64 { at, _ := time.Parse(time.RFC3339, text); return at.UnixMilli() }
	type record = ledger.ActionRecord
	one := func(name string, value func(*record) string) func(t *testing.T) {
		return func(t *testing.T) {
			want := value(&records[700])
			if want == "" {
				want = value(&records[slices.IndexFunc(records, func(a record) bool { return value(&a) != "" })])
			}
			checkListing(t, reports, Scope{All: true}, ActionQuestion{Filters: map[string][]string{name: {want, "none"}}}, records,
				func(a *record) bool { return value(a) == want })
		}
	}
	for name, value := range map[string]func(*record) string{
		"id": func(a *record) string { return a.ID }, "conversion_id": func(a *record) string { return a.ConversionID },
		"advertiser_id": func(a *record) string { return a.AdvertiserID }, "campaign_id": func(a *record) string { return a.CampaignID },
		"creator_id": func(a *record) string { return a.CreatorID }, "task_id": func(a *record) string { return a.TaskID },
		"link_id": func(a *record) string { return a.LinkID }, "platform": func(a *record) string { return a.Platform },
		"event": func(a *record) string { return a.Event }, "order_id": func(a *record) string { return a.OrderID },
		"click_id": func(a *record) string { return a.ClickID }, "referral": func(a *record) string { return a.Referral },
		"model": func(a *record) string { return a.Model }, "credit": func(a *record) string { return a.Credit },
		"currency": func(a *record) string { return a.Currency }, "state": func(a *record) string { return a.State },
		"payout_id": func(a *record) string { return a.PayoutID }, "code": func(a *record) string { return strings.ToLower(a.Code) },
		"reversal_reason": func(a *record) string { return a.Reversal },
	} {
		t.Run(name, one(name, value))
	}
	for name, c := range map[string]struct {
		filters map[string][]string
		from    string
		to      string
		tz      string
		scope   Scope
		keep    func(*record) bool
	}{
		"everything":  {keep: func(*record) bool { return true }},
		"pending":     {filters: map[string][]string{"state": {"pending"}}, keep: func(a *record) bool { return a.State == "pending" }},
		"code, cased": {filters: map[string][]string{"code": {"cODE1", "code2"}}, keep: func(a *record) bool { return a.Code == "Code1" || a.Code == "Code2" }},
		"reason":      {filters: map[string][]string{"reason": {"unsigned"}}, keep: func(a *record) bool { return slices.Contains(a.Reasons, "unsigned") }},
		"notes":       {filters: map[string][]string{"notes": {"ÜBEL"}}, keep: func(a *record) bool { return strings.Contains(a.Notes, "übel") }},
		"no notes":    {filters: map[string][]string{"notes": {"stale"}}, keep: func(*record) bool { return false }},
		"quantity":    {filters: map[string][]string{"quantity": {"2", "3"}}, keep: func(a *record) bool { return a.Quantity > 1 }},
		"terms":       {filters: map[string][]string{"terms_version": {"2"}}, keep: func(a *record) bool { return a.TermsVersion == 2 }},
		"seq":         {filters: map[string][]string{"seq": {"3"}}, keep: func(a *record) bool { return a.Seq == 3 }},
		"updated since": {filters: map[string][]string{"updated_since": {"2027-01-03T04:05:06.789Z"}},
			keep: func(a *record) bool { return a.UpdatedAtMs >= ms("2027-01-03T04:05:06.789Z") }},
		"paid before": {filters: map[string][]string{"paid_at_to": {"2027-01-21"}}, tz: "Asia/Kolkata",
			keep: func(a *record) bool { return a.PaidAtMs > 0 && a.PaidAtMs < ms("2027-01-20T18:30:00Z") }},
		"lock at": {filters: map[string][]string{"lock_at_from": {"2027-01-01"}, "lock_at_to": {"2027-01-02"}},
			keep: func(a *record) bool {
				return a.LockAtMs >= ms("2027-01-01T00:00:00Z") && a.LockAtMs < ms("2027-01-02T00:00:00Z")
			}},
		"a day of the zone": {from: "2026-12-24", to: "2026-12-25", tz: "Australia/Lord_Howe",
			keep: func(a *record) bool {
				return a.EventTimeMs >= ms("2026-12-23T13:00:00Z") && a.EventTimeMs < ms("2026-12-24T13:00:00Z")
			}},
		"amounts": {filters: map[string][]string{"currency": {"KWD"}, "amount_min": {"12.345"}, "amount_max": {"40"}},
			keep: func(a *record) bool { return a.Currency == "KWD" && a.AmountMinor >= 12_345 && a.AmountMinor <= 40_000 }},
		"negative payout": {filters: map[string][]string{"currency": {"JPY"}, "payout_max": {"-500"}},
			keep: func(a *record) bool { return a.Currency == "JPY" && a.PayoutMinor <= -500 }},
		"an advertiser": {scope: Scope{AdvertiserID: "adv_1"}, keep: func(a *record) bool { return a.AdvertiserID == "adv_1" }},
		"an advertiser by a payout it may not see": {scope: Scope{AdvertiserID: "adv_0"}, filters: map[string][]string{"currency": {"USD"}, "payout_min": {"1"}},
			keep: func(a *record) bool {
				return a.AdvertiserID == "adv_0" && a.Currency == "USD" && a.PayoutMinor >= 100 && a.CampaignID != "cmp_1"
			}},
		"a creator":                {scope: Scope{CreatorID: "crt_3"}, keep: func(a *record) bool { return a.CreatorID == "crt_3" }},
		"a creator asks another's": {scope: Scope{CreatorID: "crt_3"}, filters: map[string][]string{"creator_id": {"crt_4"}}, keep: func(*record) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			if c.scope == (Scope{}) {
				c.scope.All = true
			}
			checkListing(t, reports, c.scope, ActionQuestion{Filters: c.filters, From: c.from, To: c.to, TZ: c.tz}, records, c.keep)
		})
	}
}

// checkListing reads a listing page by page and compares it with what is kept of
// the records, which are newest first.
func checkListing(t *testing.T, reports *Reports, scope Scope, q ActionQuestion, records []ledger.ActionRecord, keep func(*ledger.ActionRecord) bool) {
	t.Helper()
	var want []ledger.Action
	for i := range records {
		if keep(&records[i]) {
			want = append(want, records[i].View(ledgerScope(scope), scope.AdvertiserID != "" && records[i].CampaignID == "cmp_1"))
		}
	}
	q.Limit = max(1, min(MaxActions, len(want)/3))
	var got []ledger.Action
	for {
		page, err := reports.Actions(t.Context(), scope, q, reportTime)
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, page.Actions...); page.NextCursor == "" {
			break
		}
		if len(page.Actions) != q.Limit || len(got) > len(want) {
			t.Fatalf("a page in the middle has %d actions, want %d; %d so far", len(page.Actions), q.Limit, len(got))
		}
		q.Cursor = page.NextCursor
	}
	if len(got) != len(want) {
		t.Fatalf("%d actions, want %d", len(got), len(want))
	}
	for i := range want {
		if g, w := asJSON(t, got[i]), asJSON(t, want[i]); g != w {
			t.Fatalf("action %d is\n%s\nwant\n%s", i, g, w)
		}
	}
}

func TestBadQuestionsForActionsNameEveryField(t *testing.T) {
	reports := New(schematest.Start(t), upToDate{}, noAgencies{})
	_, err := reports.Actions(t.Context(), Scope{CreatorID: "crt_1"}, ActionQuestion{
		From: "yesterday", TZ: "Mars/Olympus", Cursor: "nonsense", Limit: 5_000, Filters: map[string][]string{
			"shoe_size": {"1"}, "cost_min": {"1"}, "notes": {"x"}, "amount_min": {"1"}, "seq": {"one"}, "paid_at_from": {"soon"},
		},
	}, reportTime)
	problem, ok := attribution.AsProblem(err)
	if !ok {
		t.Fatalf("got %v, want a Problem", err)
	}
	var locations []string
	for _, f := range problem.Fields {
		locations = append(locations, f.Location)
	}
	for _, want := range []string{"from", "tz", "cursor", "limit", "shoe_size", "cost_min", "notes", "amount_min", "seq", "paid_at_from"} {
		if !slices.Contains(locations, "query."+want) {
			t.Errorf("query.%s is not named in %v", want, locations)
		}
	}
}
