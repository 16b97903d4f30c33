package money

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// A shop is the API on a real catalog, ledger and database: one advertiser whose
// campaign pays 10 %, a creator with a task and a code, and everybody's keys.
type shop struct {
	t                                                *testing.T
	url                                              string
	ledger                                           *ledger.Ledger
	things                                           *catalog.Catalog
	nowMs                                            atomic.Int64
	sequence                                         uint64
	advertiser, campaign, creator, task              string
	rootKey, ownKey, creatorKey, ingestKey           string
	strangerKey, otherCreatorKey, agency, agencyTask string
}

var operator = catalog.Scope{Role: catalog.RoleAdmin}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func instantOf(text string) attribution.Instant {
	var at attribution.Instant
	if err := at.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return at
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db := must(database.Open(t.Context(), databasetest.Any(t), t.TempDir()))(t)
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{t: t}
	s.nowMs.Store(int64(instantOf("2027-01-10T09:00:00Z")))
	now := func() time.Time { return time.UnixMilli(s.nowMs.Load()) }
	keys := must(attribution.NewClickKeyring(1, map[byte][]byte{1: bytes.Repeat([]byte{9}, attribution.ClickKeyBytes)}))(t)
	s.ledger = ledger.New(db, ledger.Options{ClickKeys: keys, Now: now})
	s.things = catalog.New(db, catalog.Options{BaseURL: "https://t.example", Pepper: bytes.Repeat([]byte{7}, 32), Now: now, BudgetChanged: s.ledger.CampaignBudgetChanged})
	server := httptest.NewServer(admin.New(admin.Options{
		Catalog: s.things, Logger: slog.New(slog.DiscardHandler), Version: "test", Routes: []admin.Routes{Routes(s.ledger, importsOf{s})},
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.seed()
	return s
}

// importsOf takes files of order ids, one to a line.
type importsOf struct{ *shop }

func (i importsOf) Import(_ context.Context, from Importer, file io.Reader, dryRun bool) (Imported, error) {
	content, err := io.ReadAll(file)
	return Imported{DryRun: dryRun, Lines: bytes.Count(content, []byte("\n")), Errors: []LineResult{{Line: 1, OrderID: from.AdvertiserID}}}, err
}

func (s *shop) seed() {
	s.t.Helper()
	ctx, t := context.Background(), s.t
	key := func(fields catalog.KeyFields) string {
		t.Helper()
		_, secret, err := s.things.CreateKey(ctx, operator, fields)
		return must(secret, err)(t)
	}
	advertiser := func(name string) string {
		return must(s.things.CreateAdvertiser(ctx, operator, catalog.AdvertiserFields{Name: name, Currency: "USD", Timezone: "UTC", Domains: []string{"shop.example"}, MinPayout: "5"}))(t).ID
	}
	s.advertiser = advertiser("Acme")
	s.creator = must(s.things.CreateCreator(ctx, operator, catalog.CreatorFields{Name: "=Mali", PayoutDetails: map[string]any{"iban": "X1"}}))(t).ID
	campaign := func(agency attribution.Decimal) (id, task string) {
		c := must(s.things.CreateCampaign(ctx, operator, catalog.CampaignFields{
			AdvertiserID: s.advertiser, Title: "Spring", Kind: "url", Platforms: []string{"tiktok"}, Destination: "https://shop.example/",
			StartsAt: instantOf("2027-01-01T00:00:00Z"), EndsAt: instantOf("2028-01-01T00:00:00Z"), AgencyMarginRate: agency,
			Terms: &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
		}))(t)
		must(s.things.ApproveCampaign(ctx, operator, c.ID))(t)
		must(s.things.AddCreator(ctx, operator, c.ID, catalog.ParticipationFields{CreatorID: s.creator}))(t)
		return c.ID, must(s.things.CreateTask(ctx, operator, catalog.TaskFields{CampaignID: c.ID, CreatorID: s.creator, Platform: "tiktok", Fee: "100"}))(t).ID
	}
	s.campaign, s.task = campaign("")
	s.agency, s.agencyTask = campaign("0.10")
	must(s.things.CreateCode(ctx, operator, s.task, catalog.CodeFields{Code: "MALI"}))(t)
	must(s.things.CreateCode(ctx, operator, s.agencyTask, catalog.CodeFields{Code: "AGENCY"}))(t)
	s.rootKey = key(catalog.KeyFields{Role: catalog.RoleAdmin})
	s.ownKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: s.advertiser})
	s.creatorKey = key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: s.creator})
	s.ingestKey = key(catalog.KeyFields{Role: catalog.RoleIngest, AdvertiserID: s.advertiser})
	s.strangerKey = key(catalog.KeyFields{Role: catalog.RoleAdvertiser, AdvertiserID: advertiser("Other")})
	other := must(s.things.CreateCreator(ctx, operator, catalog.CreatorFields{Name: "Other"}))(t)
	s.otherCreatorKey = key(catalog.KeyFields{Role: catalog.RoleCreator, CreatorID: other.ID})
}

// sale settles a sale by code.
func (s *shop) sale(order, amount, currency, code string) ledger.Settled {
	s.t.Helper()
	s.sequence++
	report := &attribution.Report{Kind: attribution.ReportConversion, AdvertiserID: s.advertiser, Source: attribution.SourceServer, Signed: true,
		ReceivedAt: attribution.Instant(s.nowMs.Load()), Fields: attribution.ReportFields{Event: "sale", OrderID: order, Amount: attribution.Decimal(amount), Currency: currency, Code: code}}
	settled := must(s.ledger.Settle(context.Background(), ledger.Batch{Log: "log", Through: s.sequence, Reports: []*attribution.Report{report}}))(s.t)
	return settled[0]
}

// call asks with a key and wants a status; the answer is what was said.
func (s *shop) call(key, method, path, body string, want int) map[string]any {
	s.t.Helper()
	status, mediaType, answer := s.send(key, method, path, body)
	if status != want {
		s.t.Fatalf("%s %s: status %d, want %d: %s", method, path, status, want, answer)
	}
	decoded := map[string]any{}
	if strings.Contains(mediaType, "json") {
		if err := json.Unmarshal(answer, &decoded); err != nil {
			s.t.Fatal(err)
		}
	}
	return decoded
}

func (s *shop) send(key, method, path, body string) (status int, mediaType string, answer []byte) {
	s.t.Helper()
	request := must(http.NewRequest(method, s.url+path, strings.NewReader(body)))(s.t)
	request.Header.Set("Authorization", "Bearer "+key)
	if strings.HasPrefix(body, "{") {
		request.Header.Set("Content-Type", "application/json")
	} else if body != "" {
		request.Header.Set("Content-Type", "text/csv")
	}
	response := must(http.DefaultClient.Do(request))(s.t)
	defer response.Body.Close()
	return response.StatusCode, response.Header.Get("Content-Type"), must(io.ReadAll(response.Body))(s.t)
}

func items(answer map[string]any) []any { return answer["items"].([]any) }

func (s *shop) equal(what string, got, want any) {
	s.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestActionsAreShownByRole(t *testing.T) {
	s := newShop(t)
	s.sale("o1", "120.00", "USD", "mali")
	s.sale("o2", "120.00", "USD", "agency")
	for _, c := range []struct {
		key, order   string
		payout, cost any
	}{
		{s.rootKey, "o1", "12.00", "17.91"}, {s.ownKey, "o1", "12.00", "17.91"}, {s.creatorKey, "o1", "12.00", nil},
		{s.rootKey, "o2", "12.00", "21.05"}, {s.ownKey, "o2", nil, "21.05"}, {s.creatorKey, "o2", "12.00", nil},
	} {
		list := items(s.call(c.key, "GET", "/v1/actions?order_id="+c.order, "", 200))
		if len(list) != 1 {
			t.Fatalf("%s: %d actions", c.order, len(list))
		}
		action := list[0].(map[string]any)
		if _, shown := action["cost"]; !shown || action["payout"] != c.payout || action["cost"] != c.cost {
			t.Errorf("%s shows payout %v and cost %v, want %v and %v", c.order, action["payout"], action["cost"], c.payout, c.cost)
		}
		for _, what := range []string{"", "/explain", "/history"} {
			s.call(c.key, "GET", "/v1/actions/"+action["id"].(string)+what, "", 200)
			for _, stranger := range []string{s.strangerKey, s.otherCreatorKey} {
				s.call(stranger, "GET", "/v1/actions/"+action["id"].(string)+what, "", 404)
			}
			s.call(s.ingestKey, "GET", "/v1/actions/"+action["id"].(string)+what, "", 403)
		}
		conversion := action["conversion_id"].(string)
		sentence := s.call(c.key, "GET", "/v1/conversions/"+conversion+"/explain", "", 200)["sentence"].(string)
		if !strings.Contains(sentence, "used the code") {
			t.Errorf("the sentence is %q", sentence)
		}
		s.call(s.strangerKey, "GET", "/v1/conversions/"+conversion, "", 404)
	}
	s.equal("a stranger's actions", len(items(s.call(s.strangerKey, "GET", "/v1/actions", "", 200))), 0)
	s.equal("a stranger's conversions", len(items(s.call(s.strangerKey, "GET", "/v1/conversions", "", 200))), 0)
	s.call(s.rootKey, "GET", "/v1/actions?state=lost", "", 422)
	s.call(s.rootKey, "GET", "/v1/actions?sate=held", "", 422)
}

func TestStepsOfAnAction(t *testing.T) {
	s := newShop(t)
	terms := `{"terms":{"lock":{"basis":"month","days":27}}}`
	s.call(s.rootKey, "PATCH", "/v1/campaigns/"+s.campaign, terms, 200)
	s.sale("o1", "100.00", "USD", "MALI")
	id := items(s.call(s.rootKey, "GET", "/v1/actions", "", 200))[0].(map[string]any)["id"].(string)
	path := "/v1/actions/" + id
	s.call(s.creatorKey, "POST", path+"/approve", "", 403)
	s.call(s.strangerKey, "POST", path+"/approve", "", 404)
	s.equal("held", s.call(s.ownKey, "POST", path+"/hold", `{"reason":"too good"}`, 200)["reasons"], "[fraud_review]")
	s.equal("released", s.call(s.ownKey, "POST", path+"/release", "", 200)["state"], "pending")
	s.equal("adjusted", s.call(s.ownKey, "POST", path+"/adjust", `{"payout":"8.00","reason":"coupon"}`, 200)["payout"], "8.00")
	s.call(s.ownKey, "POST", path+"/adjust", `{"payout":"8.001","reason":"x"}`, 422)
	s.call(s.ownKey, "POST", path+"/reverse", `{"reason":"whim"}`, 422)
	s.equal("approved", s.call(s.ownKey, "POST", path+"/approve", "{}", 200)["state"], "locked") // and payable when it was to be
	s.call(s.ownKey, "POST", path+"/reverse", `{"reason":"returned"}`, 409)
	s.equal("entries", len(items(s.call(s.ownKey, "GET", path+"/history", "", 200))), 5)
	s.equal("earned", items(s.call(s.creatorKey, "GET", "/v1/creators/"+s.creator+"/balance", "", 200))[0].(map[string]any)["locked"], "8.00")
}

func TestTasksArePaidOnce(t *testing.T) {
	s := newShop(t)
	pay := "/v1/tasks/" + s.task + "/pay"
	s.call(s.creatorKey, "POST", pay, "", 403)
	s.call(s.strangerKey, "POST", pay, "", 404)
	first := items(s.call(s.ownKey, "POST", pay, `{"amount":60}`, 200))[0].(map[string]any)
	s.equal("state", first["state"], "payable")
	s.equal("the same again", items(s.call(s.ownKey, "POST", pay, `{"amount":"60.00"}`, 200))[0].(map[string]any)["id"], first["id"])
	s.call(s.ownKey, "POST", pay, `{"amount":"50.00"}`, 409)
	s.call(s.ownKey, "POST", pay, `{"amount":"0"}`, 422)
	s.equal("the rest", items(s.call(s.ownKey, "POST", pay, "", 200))[0].(map[string]any)["payout"], "40.00")
	s.equal("nothing left", len(items(s.call(s.ownKey, "POST", pay, "{}", 200))), 0)

	all := "/v1/campaigns/" + s.agency + "/creators/" + s.creator + "/pay"
	s.equal("no approved task", len(items(s.call(s.rootKey, "POST", all, "", 200))), 0)
	s.call(s.rootKey, "PATCH", "/v1/tasks/"+s.agencyTask, `{"status":"approved"}`, 200)
	s.call(s.creatorKey, "POST", all, "", 403)
	s.call(s.otherCreatorKey, "POST", all, "", 403)
	s.call(s.strangerKey, "POST", all, "", 404)
	s.equal("an approved task", items(s.call(s.rootKey, "POST", all, "", 200))[0].(map[string]any)["payout"], "100.00")
	s.equal("paid already", len(items(s.call(s.rootKey, "POST", all, "", 200))), 0)

	s.call(s.rootKey, "PATCH", "/v1/tasks/"+s.task, `{"status":"rejected"}`, 200)
	s.call(s.ownKey, "POST", pay, `{"amount":"1","confirm":true}`, 409)
}

func TestPayoutsPayEachActionOnce(t *testing.T) {
	s := newShop(t)
	s.sale("o1", "120.00", "USD", "MALI")
	s.call(s.strangerKey, "POST", "/v1/payouts", `{"advertiser_id":"`+s.advertiser+`"}`, 404)
	s.call(s.ownKey, "POST", "/v1/payouts", `{"as_of":"2030-01-01T00:00:00Z"}`, 422)
	made := items(s.call(s.ownKey, "POST", "/v1/payouts", `{}`, 201))
	if len(made) != 1 {
		t.Fatalf("made %v", made)
	}
	payout := made[0].(map[string]any)
	s.equal("payout", fmt.Sprint(payout["amount"], " ", payout["actions"], " ", payout["state"]), "12.00 1 open")
	s.equal("again", len(items(s.call(s.ownKey, "POST", "/v1/payouts", `{}`, 201))), 0)
	s.sale("o2", "40.00", "USD", "MALI")
	s.equal("below the smallest", len(items(s.call(s.ownKey, "POST", "/v1/payouts", `{}`, 201))), 0)

	_, mediaType, file := s.send(s.rootKey, "GET", "/v1/payouts?format=csv&state=open", "")
	if lines := strings.Split(string(file), "\n"); !strings.HasPrefix(mediaType, "text/csv") || len(lines) != 3 || !strings.Contains(lines[1], `'=Mali,"{""iban"":""X1""}",12.00,USD,1,open`) {
		t.Errorf("the file (%s) is\n%s", mediaType, file)
	}
	if _, _, file = s.send(s.ownKey, "GET", "/v1/payouts?format=csv", ""); strings.Contains(string(file), "iban") {
		t.Errorf("an advertiser sees bank details:\n%s", file)
	}
	path := "/v1/payouts/" + payout["id"].(string)
	s.call(s.strangerKey, "GET", path, "", 404)
	s.call(s.creatorKey, "GET", path, "", 200)
	s.call(s.creatorKey, "POST", path+"/paid", `{"reference":"B1"}`, 403)
	s.equal("paid", s.call(s.ownKey, "POST", path+"/paid", `{"reference":"B1"}`, 200)["state"], "paid")
	s.call(s.ownKey, "POST", path+"/paid", `{"reference":"B1"}`, 200)
	s.call(s.ownKey, "POST", path+"/paid", `{"reference":"B2"}`, 409)
	balance := items(s.call(s.creatorKey, "GET", "/v1/creators/"+s.creator+"/balance", "", 200))[0].(map[string]any)
	s.equal("balance", fmt.Sprint(balance["payable"], " ", balance["paid"]), "4.00 12.00")
	s.call(s.otherCreatorKey, "GET", "/v1/creators/"+s.creator+"/balance", "", 404)

	// What a clawback takes is carried over.
	action := items(s.call(s.rootKey, "GET", "/v1/actions?order_id=o1", "", 200))[0].(map[string]any)["id"].(string)
	s.call(s.ownKey, "POST", "/v1/actions/"+action+"/adjust", `{"payout":"0","reason":"returned"}`, 200)
	s.sale("o3", "140.00", "USD", "MALI")
	s.equal("carried over", items(s.call(s.ownKey, "POST", "/v1/payouts", `{}`, 201))[0].(map[string]any)["amount"], "6.00")

	var sum float64
	for _, line := range items(s.call(s.creatorKey, "GET", "/v1/creators/"+s.creator+"/statement", "", 200)) {
		var change float64
		_, _ = fmt.Sscan(line.(map[string]any)["change"].(string), &change)
		sum += change
	}
	s.equal("the statement's sum", sum, 18)
}

func TestInquiryMakesAnAction(t *testing.T) {
	s := newShop(t)
	s.sale("known", "200.00", "USD", "nobody")
	ask := func(order string) string {
		t.Helper()
		body := `{"task_id":"` + s.task + `","order_id":"` + order + `","date":"2027-01-09T00:00:00Z","amount":"50.00","evidence":"a mail"}`
		s.call(s.otherCreatorKey, "POST", "/v1/inquiries", body, 404)
		id := s.call(s.creatorKey, "POST", "/v1/inquiries", body, 201)["id"].(string)
		s.call(s.creatorKey, "POST", "/v1/inquiries", body, 409)
		return "/v1/inquiries/" + id
	}
	known, unknown, refused := ask("known"), ask("unknown"), ask("refused")
	s.call(s.creatorKey, "POST", known+"/approve", "", 403)
	s.call(s.strangerKey, "POST", known+"/approve", "", 404)
	s.equal("known", s.call(s.ownKey, "POST", known+"/approve", "", 200)["state"], "approved")
	s.call(s.ownKey, "POST", known+"/approve", "", 409)
	s.call(s.ownKey, "POST", unknown+"/approve", `{"note":"seen"}`, 200)
	s.call(s.ownKey, "POST", refused+"/reject", `{}`, 422)
	s.equal("refused", s.call(s.ownKey, "POST", refused+"/reject", `{"reason":"not ours"}`, 200)["reason"], "not ours")
	for order, payout := range map[string]string{"known": "20.00", "unknown": "5.00"} {
		conversion := items(s.call(s.rootKey, "GET", "/v1/conversions?order_id="+order, "", 200))[0].(map[string]any)
		action := conversion["actions"].([]any)[0].(map[string]any)
		s.equal(order, fmt.Sprint(action["payout"], " ", action["referral"], " ", conversion["attributed"]), payout+" forced true")
	}
	s.equal("listed", len(items(s.call(s.creatorKey, "GET", "/v1/inquiries?state=approved", "", 200))), 2)
	s.sale("credited", "10.00", "USD", "MALI")
	s.call(s.ownKey, "POST", ask("credited")+"/approve", `{"force":true}`, 409)
}

func TestRatesConvertAndQuarantineIsReplayed(t *testing.T) {
	s := newShop(t)
	s.equal("without a rate", s.sale("o1", "100.00", "EUR", "MALI").Attributed, false)
	s.call(s.ownKey, "PUT", "/v1/fx-rates", `{"day":"2027-01-10","base":"EUR","quote":"USD","rate":"1.2"}`, 403)
	s.call(s.rootKey, "PUT", "/v1/fx-rates", `{"day":"2027-01-10","base":"eur","quote":"USD","rate":"1.2"}`, 200)
	s.call(s.rootKey, "PUT", "/v1/fx-rates", `{"items":[{"day":"2027-1-10","base":"EUR","quote":"EUR","rate":"-1"}]}`, 422)
	s.call(s.rootKey, "PUT", "/v1/fx-rates", `{"items":[{"day":"2027-01-11","base":"EUR","quote":"USD","rate":1.25}]}`, 200)
	s.equal("rates", len(items(s.call(s.ownKey, "GET", "/v1/fx-rates?base=EUR", "", 200))), 2)
	s.equal("with a rate", s.sale("o2", "100.00", "EUR", "MALI").Actions[0].Payout, "12.00")

	s.equal("conflict", s.sale("o2", "90.00", "EUR", "MALI").Status, "conflict")
	held := items(s.call(s.ownKey, "GET", "/v1/quarantine", "", 200))
	s.equal("in quarantine", len(held), 1)
	s.equal("a stranger's", len(items(s.call(s.strangerKey, "GET", "/v1/quarantine", "", 200))), 0)
	s.call(s.creatorKey, "GET", "/v1/quarantine", "", 403)
	replay := `{"ids":["` + held[0].(map[string]any)["id"].(string) + `"]}`
	s.call(s.strangerKey, "POST", "/v1/quarantine/replay", replay, 404)
	s.call(s.ownKey, "POST", "/v1/quarantine/replay", `{"ids":[]}`, 422)
	s.equal("replayed", s.call(s.ownKey, "POST", "/v1/quarantine/replay", replay, 200)["results"].([]any)[0].(map[string]any)["status"], "conflict")
}

func TestImportIsForOnesOwn(t *testing.T) {
	s := newShop(t)
	for key, query := range map[string]string{s.ingestKey: "", s.ownKey: "?advertiser_id=" + s.advertiser, s.rootKey: "?dry_run=true&advertiser_id=" + s.advertiser} {
		done := s.call(key, "POST", "/v1/conversions/import"+query, "a\nb\n", 200)
		s.equal("lines", fmt.Sprint(done["lines"], " ", done["errors"].([]any)[0].(map[string]any)["order_id"]), "2 "+s.advertiser)
	}
	s.call(s.strangerKey, "POST", "/v1/conversions/import?advertiser_id="+s.advertiser, "a\n", 404)
	s.call(s.creatorKey, "POST", "/v1/conversions/import", "a\n", 403)
}
