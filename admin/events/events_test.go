package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

var operator = catalog.Scope{Role: catalog.RoleAdmin}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// A memory is a sink that remembers.
type memory struct {
	taken []Event
	fail  error
}

func (m *memory) Take(_ context.Context, events []Event) (func(context.Context, *database.Tx) error, error) {
	return func(context.Context, *database.Tx) error {
		if m.fail == nil {
			m.taken = append(m.taken, events...)
		}
		return m.fail
	}, nil
}

func (*memory) Kept() {}

func (m *memory) types() string {
	var types []string
	for _, e := range m.taken {
		types = append(types, e.Type)
	}
	m.taken = nil
	return strings.Join(types, " ")
}

// A world is the pump on a real catalog and ledger: an advertiser, a campaign that
// pays 10 % of sales and has a budget of 30, a creator and its code.
type world struct {
	testing.TB
	ctx                           context.Context
	db                            *database.DB
	things                        *catalog.Catalog
	money                         *ledger.Ledger
	pump                          *Pump
	nowMs                         atomic.Int64
	sink                          memory
	reports                       uint64
	advertiser, campaign, creator string
}

func at(t testing.TB, text string) attribution.Instant {
	var i attribution.Instant
	if err := i.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return i
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, ctx: context.Background()}
	w.set("2027-01-10T09:00:00Z")
	now := func() time.Time { return time.UnixMilli(w.nowMs.Load()) }
	w.db = must(database.Open(w.ctx, databasetest.Any(t), t.TempDir()))(t)
	t.Cleanup(func() { _ = w.db.Close() })
	keys := must(attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)}))(t)
	w.money = ledger.New(w.db, ledger.Options{ClickKeys: keys, Now: now})
	w.things = catalog.New(w.db, catalog.Options{BaseURL: "https://t.example", Pepper: []byte("pepper"), Now: now, BudgetChanged: w.money.CampaignBudgetChanged})
	w.pump = New(Options{DB: w.db, Ledger: w.money, Things: w.things, Sinks: []Sink{&w.sink}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	w.advertiser = must(w.things.CreateAdvertiser(w.ctx, operator, catalog.AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}}))(t).ID
	w.creator = must(w.things.CreateCreator(w.ctx, operator, catalog.CreatorFields{Name: "Mali"}))(t).ID
	w.campaign = must(w.things.CreateCampaign(w.ctx, operator, catalog.CampaignFields{
		AdvertiserID: w.advertiser, Title: "Spring", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/", MarginRate: "0",
		StartsAt: at(t, "2027-01-11T00:00:00Z"), EndsAt: at(t, "2027-03-01T00:00:00Z"), Budget: &catalog.Budget{Amount: "30"},
		Terms: &attribution.Terms{Lock: &attribution.Schedule{Basis: "day", Days: 5}, Pay: &attribution.Schedule{Basis: "day", Days: 5},
			Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
	}))(t).ID
	return w
}

func (w *world) set(now string) { w.nowMs.Store(int64(at(w, now))) }

// told is what was handed on since it was asked last.
func (w *world) told() string {
	w.Helper()
	for more := true; more; {
		more = must(w.pump.Pass(w.ctx))(w)
	}
	return w.sink.types()
}

func (w *world) expect(what, want string) {
	w.Helper()
	if got := w.told(); got != want {
		w.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func (w *world) settle(report *attribution.Report) ledger.Settled {
	w.Helper()
	w.reports++
	report.AdvertiserID, report.Source, report.Signed, report.ReceivedAt = w.advertiser, attribution.SourceServer, true, attribution.Instant(w.nowMs.Load())
	return must(w.money.Settle(w.ctx, ledger.Batch{Log: "log", Through: w.reports, Reports: []*attribution.Report{report}}))(w)[0]
}

func (w *world) sale(order, amount, code string) ledger.Settled {
	w.Helper()
	return w.settle(&attribution.Report{Kind: attribution.ReportConversion,
		Fields: attribution.ReportFields{Event: "sale", OrderID: order, Amount: attribution.Decimal(amount), Currency: "USD", Code: code}})
}

// TestLifeOfACampaignIsTold has everything happen that an event tells of.
func TestLifeOfACampaignIsTold(t *testing.T) {
	w := newWorld(t)
	w.expect("a draft", "")
	must(w.things.ApproveCampaign(w.ctx, operator, w.campaign))(t)
	w.expect("approved", "campaign.upcoming")
	must(w.things.PauseCampaign(w.ctx, operator, w.campaign))(t)
	must(w.things.ResumeCampaign(w.ctx, operator, w.campaign))(t)
	w.expect("paused and resumed", "campaign.paused campaign.upcoming")
	must(w.things.PatchCampaign(w.ctx, operator, w.campaign, []byte(`{"ends_at":"2027-02-01T00:00:00Z"}`)))(t)
	w.expect("rescheduled, with the same status", "")

	scope := ledger.Scope(operator)
	must(w.things.AddCreator(w.ctx, operator, w.campaign, catalog.ParticipationFields{CreatorID: w.creator, Status: catalog.Applied}))(t)
	w.expect("applied", "participation.applied")
	must(w.things.PatchParticipation(w.ctx, operator, w.campaign, w.creator, []byte(`{"status":"rejected"}`)))(t)
	w.expect("rejected", "participation.rejected")
	must(w.things.PatchParticipation(w.ctx, operator, w.campaign, w.creator, []byte(`{"status":"applied"}`)))(t)
	must(w.things.PatchParticipation(w.ctx, operator, w.campaign, w.creator, []byte(`{"status":"joined"}`)))(t)
	w.expect("approved after all", "participation.applied participation.approved")

	if err := w.money.Tick(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.set("2027-01-11T09:00:00Z")
	if err := w.money.Tick(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.expect("started", "campaign.ongoing")
	task := must(w.things.CreateTask(w.ctx, operator, catalog.TaskFields{CampaignID: w.campaign, CreatorID: w.creator, Platform: "tiktok"}))(t).ID
	must(w.things.CreateCode(w.ctx, operator, task, catalog.CodeFields{Code: "MALI"}))(t)
	must(w.things.PatchCampaign(w.ctx, operator, w.campaign, []byte(`{"track_posts":true,"require_draft":true}`)))(t)
	draft := must(w.things.CreateDraft(w.ctx, operator, task, catalog.DraftFields{Text: "Look"}))(t).ID
	must(w.things.ReturnDraft(w.ctx, operator, draft, "shorter"))(t)
	must(w.things.ReturnDraft(w.ctx, operator, draft, "shorter"))(t)
	draft = must(w.things.CreateDraft(w.ctx, operator, task, catalog.DraftFields{Text: "See"}))(t).ID
	must(w.things.ApproveDraft(w.ctx, operator, draft))(t)
	w.expect("drafts", "draft.waiting draft.returned draft.waiting draft.approved")

	first := w.sale("o1", "200.00", "MALI").Actions[0].ID
	w.expect("sold", "conversion.accepted action.pending budget.threshold")
	w.sale("o1", "200.00", "MALI")
	w.expect("a duplicate", "")
	w.sale("o1", "201.00", "MALI")
	w.expect("a conflict", "conversion.quarantined")
	w.sale("o2", "10.00", "")
	w.expect("of nobody", "conversion.unattributed")
	second := w.sale("o3", "200.00", "MALI").Actions[0].ID
	w.expect("over budget", "conversion.accepted action.held campaign.over_budget")
	must(w.money.Adjust(w.ctx, scope, first, ledger.Adjustment{Payout: new(attribution.Decimal("9")), Reason: "agreed"}))(t)
	w.expect("adjusted, which makes room", "action.adjusted action.pending budget.threshold campaign.ongoing")
	must(w.money.Hold(w.ctx, scope, first, "", "odd"))(t)
	must(w.money.Release(w.ctx, scope, first, ""))(t)
	w.expect("held and released", "action.held action.pending")
	w.settle(&attribution.Report{Kind: attribution.ReportRefund, Refund: &attribution.RefundFields{OrderID: "o1", Amount: "100.00"}})
	w.expect("refunded in part", "action.adjusted conversion.refunded")
	must(w.money.Reverse(w.ctx, scope, second, "fraud", ""))(t)
	w.expect("reversed", "action.reversed")
	must(w.money.Approve(w.ctx, scope, first))(t)
	w.expect("approved", "action.locked")

	w.set("2027-02-03T00:00:00Z")
	if err := w.money.Tick(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.expect("due", "action.payable campaign.finished")
	payout := must(w.money.CreatePayouts(w.ctx, scope, ledger.PayoutRequest{AdvertiserID: w.advertiser}))(t)[0].ID
	w.expect("put into a payout", "payout.created")
	must(w.money.MarkPaid(w.ctx, scope, payout, "ref"))(t)
	w.expect("paid", "action.paid payout.paid")
	must(w.things.CloseCampaign(w.ctx, operator, w.campaign))(t)
	w.expect("closed", "campaign.closed")
}

func TestEventsHaveTheRolesView(t *testing.T) {
	w := newWorld(t)
	must(w.things.PatchCampaign(w.ctx, operator, w.campaign, []byte(`{"agency_margin_rate":"0.10","margin_rate":"0.30"}`)))(t)
	must(w.things.ApproveCampaign(w.ctx, operator, w.campaign))(t)
	for more := true; more; {
		more = must(w.pump.Pass(w.ctx))(t)
	}
	body := func(scope catalog.Scope) string { return string(must(w.sink.taken[0].Body(w.ctx, scope))(t)) }
	own := body(catalog.Scope{Role: catalog.RoleAdvertiser, AdvertiserID: w.advertiser})
	if all := body(operator); !strings.Contains(all, `"agency_margin_rate":"0.10"`) || !strings.Contains(all, `"status":"upcoming"`) {
		t.Errorf("an admin sees %s", all)
	}
	if strings.Contains(own, "margin_rate") || !strings.Contains(own, `"title":"Spring"`) {
		t.Errorf("the advertiser sees %s", own)
	}
	if _, err := w.sink.taken[0].Body(w.ctx, catalog.Scope{Role: catalog.RoleAdvertiser, AdvertiserID: "adv_other"}); err == nil {
		t.Error("another advertiser sees it")
	}
	var event struct{ ID, Type, Timestamp string }
	if err := json.Unmarshal([]byte(own), &event); err != nil || !attribution.ValidID(Prefix, event.ID) || event.Timestamp != "2027-01-10T09:00:00.000Z" {
		t.Errorf("%s, %v", own, err)
	}
}

// TestNothingIsLostOrRepeated has sinks fail, two pumps read, and messages come
// that nobody can read.
func TestNothingIsLostOrRepeated(t *testing.T) {
	w := newWorld(t)
	must(w.things.ApproveCampaign(w.ctx, operator, w.campaign))(t)
	w.sink.fail = errors.New("broken")
	if _, err := w.pump.Pass(w.ctx); !errors.Is(err, w.sink.fail) {
		t.Errorf("got %v", err)
	}
	w.sink.fail = nil
	stale := must(w.money.Outbox(w.ctx, ledger.ReaderEvents, 10))(t)
	w.expect("after a failure", "campaign.upcoming")
	if err := w.money.OutboxDone(w.ctx, stale); !errors.Is(err, ledger.ErrReadElsewhere) {
		t.Errorf("what another has read can be read again: %v", err)
	}
	if behind := must(w.money.OutboxBehind(w.ctx))(t); behind[ledger.ReaderClickHouse] != 1 || behind[ledger.ReaderEvents] != 0 {
		t.Errorf("behind: %v", behind)
	}
	for _, m := range []ledger.Message{
		{Number: 7, Kind: ledger.OutboxAction, Payload: json.RawMessage(`{"verb":7}`)}, {Number: 8, Kind: ledger.OutboxCampaign, Payload: json.RawMessage(`[]`)},
		{Number: 9, Kind: catalog.OutboxParticipation, Payload: json.RawMessage(`nonsense`)},
	} {
		if made, err := w.pump.make.of(m); err == nil || len(made) != 0 {
			t.Errorf("%s makes %v, %v", m.Payload, made, err)
		}
	}
	for _, m := range []ledger.Message{
		{Kind: "unheard", Payload: json.RawMessage(`{}`)}, {Kind: ledger.OutboxAction, Payload: json.RawMessage(`{}`)},
		{Kind: ledger.OutboxConversion, Payload: json.RawMessage(`{"verb":"accepted"}`)}, {Kind: ledger.OutboxCampaign, Payload: json.RawMessage(`{"status":"draft"}`)},
		{Kind: ledger.OutboxQuarantine, Payload: json.RawMessage(`{"kind":"landing"}`)},
	} {
		if made, err := w.pump.make.of(m); err != nil || len(made) != 0 {
			t.Errorf("%s %s makes %v, %v", m.Kind, m.Payload, made, err)
		}
	}
}

func TestEveryActionStateIsAnEvent(t *testing.T) {
	for _, state := range []string{ledger.Held, ledger.Pending, ledger.Locked, ledger.Payable, ledger.Paid, ledger.Reversed} {
		if !Known("action." + state) {
			t.Errorf("action.%s is no event", state)
		}
	}
	for _, c := range []struct {
		filter string
		name   string
		want   bool
	}{{"", ActionPaid, true}, {"*", ActionPaid, true}, {"action.*", ActionPaid, true}, {"action.paid", ActionPaid, true}, {"payout.*", ActionPaid, false}, {"action.held", ActionPaid, false}} {
		if got := Wanted(strings.Fields(c.filter), c.name); got != c.want {
			t.Errorf("%q wants %s: %t", c.filter, c.name, got)
		}
	}
	for filter, want := range map[string]bool{"*": true, "action.*": true, "code_pool.low": true, "": false, "action": false, "act.*": false, "webhook.ping": false, ".*": false} {
		if Known(filter) != want {
			t.Errorf("%q is known: %t", filter, !want)
		}
	}
	seen := map[string]bool{}
	for number := range int64(100) {
		for nth := range 3 {
			seen[idOf(5, number, nth)] = true
		}
	}
	if len(seen) != 300 || idOf(5, 1, 0) > idOf(5, 1, 1) || idOf(5, 1, 9) > idOf(5, 2, 0) || idOf(5, 9, 0) > idOf(6, 1, 0) {
		t.Error(fmt.Sprint("ids are not in order: ", len(seen)))
	}
}
