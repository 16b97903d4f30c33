package notify

import (
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"
	"testing"
	"time"

	"tributary/admin/webhooks"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
)

// parts are the decoded parts of an e-mail, by media type.
func (l letterSeen) parts(t *testing.T) map[string]string {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(l.message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for reader := multipart.NewReader(strings.NewReader(l.body), parameters["boundary"]); ; {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		mediaType, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		found[mediaType] = string(text)
	}
}

func (l letterSeen) subject() string {
	text, err := new(mime.WordDecoder).DecodeHeader(l.message.Header.Get("Subject"))
	if err != nil {
		return err.Error()
	}
	return text
}

func TestARejectedCreatorGetsBoth(t *testing.T) {
	b := newBench(t, "")
	mali, maliKey := b.creator(catalog.CreatorFields{Name: "Mali Süß", Email: "mali@example.com"})
	_, otherKey := b.creator(catalog.CreatorFields{Name: "Other", Email: "other@example.com"})
	spring := b.campaign("Spring <b>& more</b>", "2027-02-01T00:00:00Z", nil)
	must(b.things.AddCreator(b.ctx, operator, spring, catalog.ParticipationFields{CreatorID: mali, Status: catalog.Applied}))(t)
	must(b.things.PatchParticipation(b.ctx, operator, spring, mali, []byte(`{"status":"rejected","reason":"too <few> posts"}`)))(t)
	b.pumpAll()
	b.mailAll()
	b.equal("the creator is told", b.titles(maliKey, ""), "You were not selected for Spring <b>& more</b>")
	b.equal("another creator is told", b.titles(otherKey, ""), "")
	b.equal("the advertiser is told", b.titles(b.ownKey, ""), "Mali Süß applies to Spring <b>& more</b>")
	letters := b.mail.letters()
	if len(letters) != 1 {
		t.Fatalf("%d e-mails", len(letters))
	}
	l := letters[0]
	b.equal("recipient", l.to, "TO:<mali@example.com>")
	b.equal("sender", l.from, "FROM:<no-reply@example.com> BODY=8BITMIME")
	b.equal("encrypted", l.tls, true)
	b.equal("subject", l.subject(), "You were not selected for Spring <b>& more</b>")
	for _, header := range []string{"Date", "Message-Id", "Mime-Version", "Auto-Submitted"} {
		if l.message.Header.Get(header) == "" {
			t.Errorf("no %s", header)
		}
	}
	parts := l.parts(t)
	if plain := parts["text/plain"]; !strings.Contains(plain, "“Spring <b>& more</b>” was declined") || !strings.Contains(plain, "too <few> posts") {
		t.Errorf("the text is %s", plain)
	}
	if page := parts["text/html"]; strings.Contains(page, "<b>") || !strings.Contains(page, "too &lt;few&gt; posts") || !strings.Contains(page, "<h1") {
		t.Errorf("the page is %s", page)
	}
	item := b.call(maliKey, "GET", "/v1/notifications", 200)["items"].([]any)[0].(map[string]any)
	b.equal("subject", item["subject"].(map[string]any)["campaign_id"], spring)
	b.equal("type", item["type"], "participation.rejected")
}

func TestAdvertisersAreToldOfBudgetsAndPools(t *testing.T) {
	b := newBench(t, "")
	mali, maliKey := b.creator(catalog.CreatorFields{Name: "Mali", Email: "mali@example.com"})
	spring := b.campaign("Spring", "2027-01-01T00:00:00Z", func(f *catalog.CampaignFields) {
		f.Budget = &catalog.Budget{Amount: "10"}
		f.Terms.Lock = &attribution.Schedule{Basis: "day", Days: 9}
	})
	must(b.things.AddCreator(b.ctx, operator, spring, catalog.ParticipationFields{CreatorID: mali}))(t)
	task := must(b.things.CreateTask(b.ctx, operator, catalog.TaskFields{CampaignID: spring, CreatorID: mali, Platform: "tiktok"}))(t).ID
	must(b.things.FillCodePool(b.ctx, operator, spring, strings.NewReader("A-1\nA-2\n"), false))(t)
	must(b.things.CreateCode(b.ctx, operator, task, catalog.CodeFields{}))(t)
	must(b.things.CreateCode(b.ctx, operator, task, catalog.CodeFields{}))(t)
	report := &attribution.Report{Kind: attribution.ReportConversion, AdvertiserID: b.advertiser, Source: attribution.SourceServer, Signed: true, ReceivedAt: attribution.InstantOf(b.now()),
		Fields: attribution.ReportFields{Event: "sale", OrderID: "o1", Amount: "85", Currency: "USD", Code: "A-1"}}
	settled := must(b.money.Settle(b.ctx, ledger.Batch{Log: "log", Through: 1, Reports: []*attribution.Report{report}}))(t)
	must(b.money.Reverse(b.ctx, ledger.Scope(operator), settled[0].Actions[0].ID, "fraud", ""))(t)
	b.pumpAll()
	b.mailAll()
	b.equal("told", b.titles(b.ownKey, ""), "Spring is live | Spring: 0 codes are left | Spring: 50 % of the budget is committed | Spring: 80 % of the budget is committed")
	b.equal("the creator is told", b.titles(maliKey, "type=action.reversed"), "An action worth 8.50 USD was reversed")
	b.equal("another's", b.titles(b.ownKey, "campaign_id=cmp_x"), "")
	var subjects []string
	for _, l := range b.mail.letters() {
		b.equal("recipient", l.to, "TO:<sales@acme.example>")
		subjects = append(subjects, l.subject())
	}
	b.equal("e-mails", strings.Join(subjects, " | "), "Spring: 0 codes are left | Spring: 50 % of the budget is committed | Spring: 80 % of the budget is committed")
}

func TestNotificationsAreRead(t *testing.T) {
	b := newBench(t, "")
	for i := range 5 {
		b.campaign(fmt.Sprint("C", i), "2027-01-01T00:00:00Z", nil)
	}
	b.pumpAll()
	b.pumpAll()
	first := b.call(b.ownKey, "GET", "/v1/notifications?limit=2", 200)
	b.equal("unread", first["unread"], 5)
	second := b.call(b.ownKey, "GET", "/v1/notifications?limit=3&cursor="+first["next_cursor"].(string), 200)
	if len(second["items"].([]any)) != 3 || second["next_cursor"] != nil {
		t.Errorf("the second page is %v", second)
	}
	id := first["items"].([]any)[0].(map[string]any)["id"].(string)
	_, strangerKey := b.creator(catalog.CreatorFields{Name: "Other"})
	b.call(strangerKey, "POST", "/v1/notifications/"+id+"/read", 404)
	b.call(b.rootKey, "POST", "/v1/notifications/"+id+"/read", 404)
	if read := b.call(b.ownKey, "POST", "/v1/notifications/"+id+"/read", 200); read["read_at"] == nil {
		t.Errorf("read: %v", read)
	}
	b.call(b.ownKey, "POST", "/v1/notifications/"+id+"/read", 200)
	b.equal("unread", b.titles(b.ownKey, "unread=true"), "C0 is live | C1 is live | C2 is live | C3 is live")
	b.equal("read at once", b.call(b.ownKey, "POST", "/v1/notifications/read-all", 200)["read"], 4)
	b.equal("unread", b.call(b.ownKey, "GET", "/v1/notifications?unread=true", 200)["unread"], 0)
	b.call(b.ownKey, "GET", "/v1/notifications?cursor=x", 422)
	b.advance(181 * 24 * time.Hour)
	if err := b.service.tidy(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.equal("after half a year", b.titles(b.ownKey, ""), "")
}

func TestOwnersAreToldOfWebhooksThatFail(t *testing.T) {
	b := newBench(t, "")
	for _, advertiser := range []string{"", b.advertiser} {
		for _, disabled := range []bool{false, true} {
			err := b.db.Write(b.ctx, func(ctx context.Context, tx *database.Tx) error {
				return b.service.WebhookFails(ctx, tx, webhooks.Alert{WebhookID: "whk_1", AdvertiserID: advertiser, URL: "https://x.example", Failures: 10, Disabled: disabled, Reason: "it is down", At: b.now()})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, key := range []string{b.rootKey, b.ownKey} {
		b.equal("told", b.titles(key, ""), "A webhook fails | A webhook was disabled")
	}
}

func TestEveryTemplateHasItsReader(t *testing.T) {
	loaded := must(loadTemplates())(t)
	known := map[string]bool{"campaign.starts.creator": true, "campaigns.start.creator": true, "webhook.failing.owner": true, "webhook.disabled.owner": true}
	for name, r := range rules {
		known[name+"."+r.role] = true
	}
	for name := range loaded.texts {
		if !known[name] {
			t.Errorf("nothing uses the template %s", name)
		}
	}
	for name := range known {
		if loaded.texts[name] == nil {
			t.Errorf("there is no template %s", name)
		}
	}
}

func TestCreatorsAreToldOnceOfWhatStartsToday(t *testing.T) {
	b := newBench(t, "")
	_, bangkok := b.creator(catalog.CreatorFields{Name: "Mali", Email: "mali@example.com", Country: "TH"}) // 08:00 is 01:00 UTC
	_, paris := b.creator(catalog.CreatorFields{Name: "Zoé", Email: "zoe@example.com", Country: "FR", Timezone: "Europe/Paris"})
	_, kathmandu := b.creator(catalog.CreatorFields{Name: "Asha", Country: "NP", Timezone: "Asia/Kathmandu"}) // 08:00 is 02:15 UTC
	rejected, rejectedKey := b.creator(catalog.CreatorFields{Name: "Ben", Email: "ben@example.com", Country: "TH"})
	b.set("2027-01-19T12:00:00Z")
	if err := b.service.Starts(b.ctx); err != nil {
		t.Fatal(err)
	}
	morning := b.campaign("Morning", "2027-01-20T02:00:00Z", nil)
	b.campaign("Thai night", "2027-01-20T16:59:00Z", func(f *catalog.CampaignFields) { f.Eligibility.Countries = []string{"TH", "NP"} })
	b.campaign("Thai tomorrow", "2027-01-20T17:00:00Z", nil) // the 21st in Bangkok, the 20th in Paris
	b.campaign("Invited only", "2027-01-20T02:00:00Z", func(f *catalog.CampaignFields) { f.Visibility = "invite" })
	paused := b.campaign("Paused", "2027-01-20T02:00:00Z", nil)
	must(b.things.PauseCampaign(b.ctx, operator, paused))(t)
	must(b.things.AddCreator(b.ctx, operator, morning, catalog.ParticipationFields{CreatorID: rejected, Status: catalog.Rejected}))(t)
	today := func(key string) string { return b.titles(key, "type=campaign.starts") }
	tell := func(now string) {
		t.Helper()
		b.set(now)
		for _, s := range []*Service{b.service, b.newService("")} { // another process, and one after a restart
			if err := s.Starts(b.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	tell("2027-01-20T00:59:59Z")
	b.equal("before 08:00", today(bangkok), "")
	tell("2027-01-20T01:00:00Z")
	b.equal("Bangkok at 08:00", today(bangkok), "Morning starts today | Thai night starts today")
	b.equal("rejected in one", today(rejectedKey), "Thai night starts today")
	b.equal("Kathmandu before", today(kathmandu), "")
	b.equal("Paris before", today(paris), "")
	tell("2027-01-20T03:00:00Z")
	b.equal("Kathmandu, caught up", today(kathmandu), "Morning starts today | Thai night starts today | Thai tomorrow starts today") // 22:45 there
	tell("2027-01-20T07:05:00Z")
	b.equal("Paris at 08:05", today(paris), "Morning starts today | Thai tomorrow starts today")
	tell("2027-01-20T23:00:00Z")
	b.equal("Bangkok at the end", today(bangkok), "Morning starts today | Thai night starts today")
	tell("2027-01-21T01:10:00Z")
	b.equal("Bangkok on the next day", today(bangkok), "Morning starts today | Thai night starts today | Thai tomorrow starts today")
	b.mailAll()
	got := map[string][]string{}
	for _, l := range b.mail.letters() {
		got[l.to] = append(got[l.to], l.subject())
		if l.to == "TO:<mali@example.com>" && len(got[l.to]) == 1 {
			if plain := l.parts(t)["text/plain"]; !strings.Contains(plain, "- Morning (tiktok), until 1 June 2027\n- Thai night (tiktok)") {
				t.Errorf("the e-mail is %q", plain)
			}
			if page := l.parts(t)["text/html"]; strings.Count(page, "<li>") != 2 {
				t.Errorf("the page is %s", page)
			}
		}
	}
	b.equal("e-mails to Bangkok", got["TO:<mali@example.com>"], "[2 campaigns start today Thai tomorrow starts today]")
	b.equal("e-mails to Paris", got["TO:<zoe@example.com>"], "[2 campaigns start today]")
	b.equal("e-mails to one rejected", got["TO:<ben@example.com>"], "[Thai night starts today Thai tomorrow starts today]")
}

func TestADayOfManyStartsIsToldWhole(t *testing.T) {
	b := newBench(t, "")
	_, key := b.creator(catalog.CreatorFields{Name: "Mali"})
	b.set("2027-01-19T12:00:00Z")
	if err := b.service.Starts(b.ctx); err != nil {
		t.Fatal(err)
	}
	outside := b.ctx
	err := b.db.Write(outside, func(ctx context.Context, _ *database.Tx) error {
		b.ctx = ctx // in one transaction, because it is so many
		for range 1_000 {
			b.campaign("One of many", "2027-01-20T02:00:00Z", nil)
		}
		b.campaign("The last", "2027-01-20T03:00:00Z", nil)
		return nil
	})
	if b.ctx = outside; err != nil {
		t.Fatal(err)
	}
	last := must(b.things.Campaigns(b.ctx, operator, catalog.CampaignFilter{Q: "The last"}, catalog.Page{}))(t).Items[0].ID
	b.set("2027-01-20T01:00:00Z")
	if err := b.service.Starts(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.equal("told", b.titles(key, "campaign_id="+last), "The last starts today")
}

func TestWhatStartedLongAgoIsNotTold(t *testing.T) {
	b := newBench(t, "")
	_, key := b.creator(catalog.CreatorFields{Name: "Mali"})
	b.set("2027-01-19T12:00:00Z")
	if err := b.service.Starts(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.campaign("Spring", "2027-01-20T02:00:00Z", nil)
	b.set("2027-01-22T00:00:00Z")
	if err := b.service.Starts(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.equal("told", b.titles(key, ""), "")
}

func TestDraftsAreTold(t *testing.T) {
	b := newBench(t, "")
	mali, maliKey := b.creator(catalog.CreatorFields{Name: "Mali", Email: "mali@example.com"})
	spring := b.campaign("Spring", "2027-02-01T00:00:00Z", func(f *catalog.CampaignFields) { f.RequireDraft = true })
	must(b.things.AddCreator(b.ctx, operator, spring, catalog.ParticipationFields{CreatorID: mali}))(t)
	task := must(b.things.CreateTask(b.ctx, operator, catalog.TaskFields{CampaignID: spring, CreatorID: mali, Platform: "tiktok"}))(t).ID
	draft := must(b.things.CreateDraft(b.ctx, operator, task, catalog.DraftFields{Text: "Look"}))(t).ID
	must(b.things.ReturnDraft(b.ctx, operator, draft, "name the <product>"))(t)
	draft = must(b.things.CreateDraft(b.ctx, operator, task, catalog.DraftFields{Text: "See"}))(t).ID
	must(b.things.ApproveDraft(b.ctx, operator, draft))(t)
	b.pumpAll()
	b.mailAll()
	b.equal("the advertiser is told", b.titles(b.ownKey, "type=draft.waiting"), "Mali has a draft for Spring | Mali has a draft for Spring")
	b.equal("the creator is told", b.titles(maliKey, "type=draft.approved"), "Your draft for Spring is approved")
	b.equal("the creator is told", b.titles(maliKey, "type=draft.returned"), "Your draft for Spring needs a change")
	item := b.call(maliKey, "GET", "/v1/notifications?type=draft.approved", 200)["items"].([]any)[0].(map[string]any)
	b.equal("subject", item["subject"].(map[string]any)["draft_id"], draft)
	returned := b.call(maliKey, "GET", "/v1/notifications?type=draft.returned", 200)["items"].([]any)[0].(map[string]any)
	if text := fmt.Sprint(returned); !strings.Contains(text, "name the <product>") {
		t.Errorf("the creator reads %s", text)
	}
	var to []string
	for _, l := range b.mail.letters() {
		to = append(to, l.to)
	}
	b.equal("e-mails", len(to), 4)
}
