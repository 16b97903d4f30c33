package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

var (
	adminScope   = Scope{Role: RoleAdmin, KeyID: "key_admin"}
	catalogAdmin = catalog.Scope{Role: catalog.RoleAdmin, KeyID: "key_admin"}
)

// A world is a catalog and a ledger on one database, with a clock that stands
// still until it is moved.
type world struct {
	testing.TB
	ctx     context.Context
	db      *database.DB
	dsn     string // of the database
	dir     string // of an embedded one
	catalog *catalog.Catalog
	*Ledger
	nowMs      atomic.Int64
	receipts   uint64
	sequence   uint64
	minter     attribution.ClickMinter
	keys       *attribution.ClickKeyring
	advertiser catalog.Advertiser
}

func testKeys() *attribution.ClickKeyring {
	keys, err := attribution.NewClickKeyring(1, map[byte][]byte{1: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		panic(err)
	}
	return keys
}

func newWorld(t testing.TB, start string) *world { return newWorldIn(t, t.TempDir(), start) }

func newWorldIn(t testing.TB, dir, start string) *world {
	t.Helper()
	dsn := databasetest.Any(t)
	w := newWorldOn(t, openDatabase(t, dsn, dir), start)
	w.dsn, w.dir = dsn, dir
	return w
}

// once has writes go through at the first try.
func (w *world) once() {
	w.Helper()
	if onPostgres {
		databasetest.Once(w, w.dsn)
	}
}

func openDatabase(t testing.TB, dsn, dir string) *database.DB {
	t.Helper()
	db := must(database.Open(context.Background(), dsn, dir))(t)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// raw opens the database beside the product's own queries.
func (w *world) raw() *sql.DB {
	w.Helper()
	driver, source := "sqlite", filepath.Join(w.dir, database.FileName)
	if onPostgres {
		driver, source = "pgx", w.dsn
	}
	db := must(sql.Open(driver, source))(w)
	w.Cleanup(func() { _ = db.Close() })
	return db
}

func newWorldOn(t testing.TB, db *database.DB, start string) *world {
	w := &world{TB: t, ctx: context.Background(), db: db, keys: testKeys()}
	w.nowMs.Store(int64(instant(start)))
	now := func() time.Time { return time.UnixMilli(w.nowMs.Load()) }
	w.catalog = catalog.New(db, catalog.Options{BaseURL: "http://t.example", Pepper: []byte("pepper"), Now: now})
	w.Ledger = New(db, Options{ClickKeys: w.keys, Now: now})
	return w
}

func instant(text string) attribution.Instant {
	var at attribution.Instant
	if err := at.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return at
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// refused checks that an error is a Problem with a code.
func refused(t testing.TB, what string, err error, code string) {
	t.Helper()
	if problem, is := attribution.AsProblem(err); !is || problem.Code != code {
		t.Errorf("%s: got %v, want a refusal with code %s", what, err, code)
	}
}

func (w *world) advance(d time.Duration) {
	w.Helper()
	w.nowMs.Add(d.Milliseconds())
	ok(w, w.Tick(w.ctx))
}

// click is a click on a link, now.
func (w *world) click(link catalog.Link, verdict attribution.Verdict) string {
	var random [8]byte
	_, _ = rand.Read(random[:])
	token := attribution.ClickToken{AtMs: w.nowMs.Load(), Link: link.Number, Verdict: verdict}
	return string(w.minter.Append(nil, w.keys, token, binary.LittleEndian.Uint64(random[:])))
}

// report makes a conversion's report from JSON.
func (w *world) report(fields string) *attribution.Report {
	w.Helper()
	w.receipts++
	var entropy [10]byte
	binary.BigEndian.PutUint64(entropy[:], w.receipts)
	r := &attribution.Report{
		ReceiptID: attribution.MakeID("rcp_", w.nowMs.Load(), entropy), Kind: attribution.ReportConversion, AdvertiserID: w.advertiser.ID,
		Source: attribution.SourceServer, Signed: true, ReceivedAt: attribution.Instant(w.nowMs.Load()),
	}
	ok(w, json.Unmarshal([]byte(fields), &r.Fields))
	return r
}

func (w *world) settle(reports ...*attribution.Report) []Settled {
	w.Helper()
	w.sequence += uint64(len(reports))
	return must(w.Settle(w.ctx, Batch{"log", w.sequence, reports}))(w)
}

// sale settles one sale of a click and returns what became of it.
func (w *world) sale(order, amount, click string, more ...string) Settled {
	w.Helper()
	extra := ""
	for _, field := range more {
		extra += "," + field
	}
	return w.settle(w.report(fmt.Sprintf(`{"event":"sale","order_id":%q,"amount":%q,"currency":"USD","click_id":%q%s}`, order, amount, click, extra)))[0]
}

func (w *world) refund(order, fields string) Settled {
	w.Helper()
	r := w.report(`{}`)
	r.Kind, r.Refund = attribution.ReportRefund, &attribution.RefundFields{}
	ok(w, json.Unmarshal([]byte(fields), r.Refund))
	r.Refund.OrderID = order
	return w.settle(r)[0]
}

// actions lists an order's actions, oldest first.
func (w *world) actions(order string) []Action {
	w.Helper()
	return must(w.Actions(w.ctx, adminScope, ActionFilter{OrderID: order}, Page{}))(w).Items
}

func (w *world) patch(campaignID, patch string) {
	w.Helper()
	ok(w, w.db.Write(w.ctx, func(ctx context.Context, _ *database.Tx) error {
		if _, err := w.catalog.PatchCampaign(ctx, catalogAdmin, campaignID, []byte(patch)); err != nil {
			return err
		}
		return w.CampaignBudgetChanged(ctx, campaignID)
	}))
}

func (w *world) campaign(id string) catalog.Campaign {
	w.Helper()
	return must(w.catalog.Campaign(w.ctx, catalogAdmin, id))(w)
}

// A shop is a world with one campaign, one creator, and a link of a task.
type shop struct {
	*world
	campaignID string
	creator    catalog.Creator
	link       catalog.Link
	code       catalog.Code
}

const plainTerms = `{"events":{"sale":{"type":"percent","rate":"0.10"}},"lock":{"basis":"day","days":7},"pay":{"basis":"day","days":3}}`

// newShop makes a campaign of plainTerms, changed by more fields.
func newShop(t testing.TB, more string) *shop {
	t.Helper()
	return newShopOn(newWorld(t, "2027-01-10T09:00:00Z"), more)
}

func newShopOn(w *world, more string) *shop {
	w.Helper()
	s := &shop{world: w}
	w.advertiser = must(w.catalog.CreateAdvertiser(w.ctx, catalogAdmin, catalog.AdvertiserFields{
		Name: "Acme", Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}}))(w)
	var fields catalog.CampaignFields
	base := `{"title":"Spring","kind":"url","track_posts":true,"platforms":["tiktok"],"destination":"https://shop.example/","starts_at":"2027-01-01T00:00:00Z","ends_at":"2027-12-31T00:00:00Z","terms":` + plainTerms + `}`
	ok(w, json.Unmarshal([]byte(base), &fields))
	if more != "" {
		ok(w, json.Unmarshal([]byte(more), &fields))
	}
	fields.AdvertiserID = w.advertiser.ID
	campaign := must(w.catalog.CreateCampaign(w.ctx, catalogAdmin, fields))(w)
	s.campaignID = campaign.ID
	must(w.catalog.ApproveCampaign(w.ctx, catalogAdmin, campaign.ID))(w)
	s.creator, s.link = s.join("Ana")
	s.code = must(w.catalog.CreateCode(w.ctx, catalogAdmin, s.link.TaskID, catalog.CodeFields{Code: "ANA10"}))(w)
	return s
}

// join makes a creator with a task and a link.
func (s *shop) join(name string) (catalog.Creator, catalog.Link) {
	s.Helper()
	creator := must(s.catalog.CreateCreator(s.ctx, catalogAdmin, catalog.CreatorFields{Name: name}))(s)
	must(s.catalog.AddCreator(s.ctx, catalogAdmin, s.campaignID, catalog.ParticipationFields{CreatorID: creator.ID}))(s)
	task := must(s.catalog.CreateTask(s.ctx, catalogAdmin, catalog.TaskFields{CampaignID: s.campaignID, CreatorID: creator.ID, Platform: "tiktok"}))(s)
	return creator, must(s.catalog.CreateLink(s.ctx, catalogAdmin, task.ID, catalog.LinkFields{}))(s)
}

func committedOf(campaignID string, committed *int64) func(context.Context, *database.Tx) error {
	return func(ctx context.Context, tx *database.Tx) error {
		var budget, maxCreator any
		var mode string
		var over, margin, agency, told, toldOf int64
		return tx.Row(ctx, "ledger.campaign_money", campaignID).Scan(&budget, &mode, committed, &over, &maxCreator, &margin, &agency, &told, &toldOf)
	}
}
