package webhooks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

func TestEventsAreDeliveredSignedAndAsTheRoleSeesThem(t *testing.T) {
	b := newBench(t)
	own, all, other := newReceiver(t), newReceiver(t), newReceiver(t)
	_, secret := b.hook(b.ownKey, own.URL+"/hook")
	own.secret.Store(secret)
	if !strings.HasPrefix(secret, PrefixSecret) {
		t.Errorf("the secret is %s", secret)
	}
	b.hook(b.rootKey, all.URL, "action.*")
	b.hook(b.strangerKey, other.URL)
	b.sell("o1", "100.00", "MALI")
	b.sell("o2", "100.00", "AGENCY")
	b.sell("o3", "100.00", "NOBODY")
	b.send(b.loop(b.service))
	if got := sorted(own.types()); got != "action.pending action.pending conversion.accepted conversion.accepted conversion.unattributed" {
		t.Errorf("the advertiser is told: %s", got)
	}
	if got := all.types(); got != "action.pending action.pending" {
		t.Errorf("the operator is told: %s", got)
	}
	if got := other.types(); got != "" {
		t.Errorf("another advertiser is told: %s", got)
	}
	for _, r := range []*receiver{own, all} {
		for _, one := range r.all() {
			if one.event.Type != "action.pending" {
				continue
			}
			data := one.event.Data
			hidden := r == own && data["campaign_id"] == b.agency
			if (data["payout"] == nil) != hidden || data["cost"] == nil {
				t.Errorf("an action is shown with payout %v and cost %v", data["payout"], data["cost"])
			}
			if one.event.Timestamp != "2027-01-10T09:00:00.000Z" {
				t.Errorf("it happened at %s", one.event.Timestamp)
			}
		}
	}
}

func sorted(words string) string {
	all := strings.Fields(words)
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestWebhooksAreKeptByTheirOwners(t *testing.T) {
	b := newBench(t)
	id, secret := b.hook(b.ownKey, "https://hooks.example.com/a", "action.paid", "payout.*")
	for _, key := range []string{b.rootKey, b.ownKey} {
		found := b.call(key, "GET", "/v1/webhooks/"+id, "", 200)
		if found["advertiser_id"] != b.advertiser || found["enabled"] != true || found["secret"] != nil || strings.Contains(fmt.Sprint(found), secret) {
			t.Errorf("found %v", found)
		}
		if list := b.call(key, "GET", "/v1/webhooks", "", 200)["items"].([]any); len(list) != 1 {
			t.Errorf("%d are listed", len(list))
		}
	}
	for path, method := range map[string]string{"": "GET", "/deliveries": "GET", "/ping": "POST", "/rotate": "POST"} {
		b.call(b.strangerKey, method, "/v1/webhooks/"+id+path, "", 404)
		b.call(b.creatorKey, method, "/v1/webhooks/"+id+path, "", 403)
	}
	b.call(b.strangerKey, "DELETE", "/v1/webhooks/"+id, "", 404)
	b.call(b.strangerKey, "POST", "/v1/webhooks", `{"url":"https://hooks.example.com/","advertiser_id":"`+b.advertiser+`"}`, 404)
	for _, bad := range []string{
		`{}`, `{"url":"http://hooks.example.com/","events":["action.flown"]}`, `{"url":"https://127.0.0.1.x/","events":["action.paid","action.paid"]}`,
		`{"url":"https://10.0.0.1/"}`, `{"url":"https://hooks.example.com/","secret":"whsec_x"}`,
	} {
		b.call(b.ownKey, "POST", "/v1/webhooks", bad, 422)
	}
	patched := b.call(b.ownKey, "PATCH", "/v1/webhooks/"+id, `{"events":null,"description":"orders","enabled":false}`, 200)
	if fmt.Sprint(patched["events"]) != "[*]" || patched["description"] != "orders" || patched["enabled"] != false {
		t.Errorf("patched: %v", patched)
	}
	b.call(b.ownKey, "PATCH", "/v1/webhooks/"+id, `{"url":"https://127.1.1.1:22/"}`, 422)
	b.call(b.rootKey, "PATCH", "/v1/webhooks/"+id, `{"advertiser_id":null}`, 422)
	for range maxPerOwner - 1 {
		b.hook(b.ownKey, "https://hooks.example.com/b")
	}
	b.call(b.ownKey, "POST", "/v1/webhooks", `{"url":"https://hooks.example.com/"}`, 409)
	b.call(b.ownKey, "DELETE", "/v1/webhooks/"+id, "", 204)
	b.call(b.ownKey, "GET", "/v1/webhooks/"+id, "", 404)
	b.hook(b.ownKey, "https://hooks.example.com/c")
}

func TestADeliveryIsRetriedUntilItIsTaken(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	r.answer.Store(func(w http.ResponseWriter, nth int) {
		if nth <= 3 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("no\x00\xff" + strings.Repeat("x", 5_000)))
		}
	})
	id, _ := b.hook(b.ownKey, r.URL, "conversion.*")
	b.sell("o1", "100.00", "MALI")
	loop := b.loop(b.service)
	var waits []time.Duration
	for last := b.now(); len(r.all()) < 4; b.advance(time.Second) {
		before := len(r.all())
		if b.send(loop); len(r.all()) > before {
			waits, last = append(waits, b.now().Sub(last)), b.now()
		}
		if before == 0 {
			d := b.deliveries(id)[0]
			if d["state"] != "waiting" || d["attempts"] != 1.0 || d["response_code"] != 500.0 || d["error"] != "the answer is 500" || d["next_at"] == nil {
				t.Errorf("after a failure: %v", d)
			}
			if answer := d["response"].(string); len(answer) > 1_100 || !strings.HasPrefix(answer, "no��xxx") {
				t.Errorf("%d bytes of the answer are kept: %.20q", len(answer), answer)
			}
		}
	}
	for i, want := range []time.Duration{0, 10 * time.Second, 30 * time.Second, 2 * time.Minute} {
		if got := waits[i]; got < want*4/5 || got > want*6/5+time.Second {
			t.Errorf("attempt %d came after %s", i+1, got)
		}
	}
	b.send(loop)
	d := b.deliveries(id)[0]
	if d["state"] != "delivered" || d["attempts"] != 4.0 || d["error"] != nil || d["next_at"] != nil || d["ended_at"] == nil {
		t.Errorf("delivered: %v", d)
	}
	for _, one := range r.all() {
		if one.id != d["event_id"] {
			t.Errorf("an attempt has the webhook-id %s", one.id)
		}
	}
	if hook := b.call(b.ownKey, "GET", "/v1/webhooks/"+id, "", 200); hook["failures"] != 0.0 || hook["last_success_at"] == nil {
		t.Errorf("the webhook: %v", hook)
	}
}

func TestAClaimOutlivesAKillByItsLeaseOnly(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	b.hook(b.ownKey, r.URL, "conversion.*")
	b.sell("o1", "100.00", "MALI")
	killed := b.loop(b.service)
	due := must(killed.due(t.Context(), b.now()))(t)
	err := b.db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
		claims, _, err := killed.claimDue(ctx, tx, due, b.now())
		if len(claims) != 1 {
			t.Errorf("%d are claimed", len(claims))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	next := b.loop(b.newService(b.db)) // claimed, never sent: the process is gone
	b.send(next)
	if n := len(r.all()); n != 0 {
		t.Errorf("%d were sent while another had the lease", n)
	}
	b.advance(lease)
	b.send(next)
	if n := len(r.all()); n != 1 {
		t.Errorf("%d were sent after the lease", n)
	}
}

func TestTwoProcessesSendEachOnce(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	r.answer.Store(func(http.ResponseWriter, int) { time.Sleep(time.Millisecond) })
	b.hook(b.ownKey, r.URL, "conversion.*")
	b.hook(b.rootKey, r.URL, "conversion.*")
	const orders = 60
	for i := range orders {
		b.sell(fmt.Sprint("o", i), "1.00", "MALI")
	}
	if databasetest.OnPostgres() {
		databasetest.Once(t, b.dsn)
	}
	other := must(database.Open(t.Context(), b.dsn, b.dir))(t)
	t.Cleanup(func() { _ = other.Close() })
	var both sync.WaitGroup
	for _, s := range []*Service{b.service, b.newService(other)} {
		both.Go(func() { b.send(b.loop(s)) })
	}
	both.Wait()
	times := map[string]int{}
	for _, one := range r.all() {
		times[one.id]++
	}
	if len(times) != orders || len(r.all()) != 2*orders {
		t.Errorf("%d events were sent %d times", len(times), len(r.all()))
	}
}

func TestASlowWebhookDelaysNobody(t *testing.T) {
	b := newBench(t)
	slow, quick := newReceiver(t), newReceiver(t)
	hang := make(chan struct{})
	slow.answer.Store(func(http.ResponseWriter, int) { <-hang })
	b.hook(b.ownKey, slow.URL, "conversion.*")
	b.hook(b.ownKey, quick.URL, "conversion.*")
	for i := range 12 {
		b.sell(fmt.Sprint("o", i), "1.00", "MALI")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.service.Run(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); len(quick.all()) < 12; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 12 were sent beside a slow webhook", len(quick.all()))
		}
	}
	if n := len(slow.all()); n > perWebhook {
		t.Errorf("%d are under way to one webhook", n)
	}
	close(hang)
	for deadline := time.Now().Add(20 * time.Second); len(slow.all()) < 12; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 12 were sent to the slow one", len(slow.all()))
		}
	}
	stop()
	<-ended
}

func TestAWebhookIsDisabledAfterTwentyFailures(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	r.answer.Store(func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusBadGateway) })
	id, _ := b.hook(b.ownKey, r.URL, "conversion.*")
	for i := range 30 {
		b.sell(fmt.Sprint("o", i), "1.00", "MALI")
	}
	loop := b.loop(b.service)
	began := b.now()
	for i := 0; len(b.alerts.all) < 2 && i < 1_000; i++ {
		b.send(loop)
		b.advance(10 * time.Second)
	}
	if len(b.alerts.all) != 2 || b.alerts.all[0].Disabled || b.alerts.all[0].Failures < alertAfter || !b.alerts.all[1].Disabled || b.alerts.all[1].Failures < disableAfter {
		t.Fatalf("the owner is told: %+v", b.alerts.all)
	}
	if b.alerts.all[1].AdvertiserID != b.advertiser {
		t.Errorf("%q is told", b.alerts.all[1].AdvertiserID)
	}
	if took := b.now().Sub(began); took < 30*time.Minute {
		t.Errorf("it was disabled after %s", took)
	}
	sent := len(r.all())
	b.advance(time.Hour)
	b.send(loop)
	hook := b.call(b.ownKey, "GET", "/v1/webhooks/"+id, "", 200)
	if len(r.all()) != sent || hook["enabled"] != false || hook["disabled_at"] == nil || !strings.Contains(hook["disabled_reason"].(string), "502") {
		t.Errorf("%d more were sent; %v", len(r.all())-sent, hook)
	}
	r.answer.Store(func(http.ResponseWriter, int) {})
	b.sell("meanwhile", "1.00", "MALI")
	hook = b.call(b.ownKey, "PATCH", "/v1/webhooks/"+id, `{"enabled":true}`, 200)
	if hook["failures"] != 0.0 || hook["disabled_at"] != nil || hook["disabled_reason"] != nil {
		t.Errorf("enabled again: %v", hook)
	}
	for range 20 {
		b.send(loop)
		b.advance(time.Hour)
	}
	for _, d := range b.deliveries(id) {
		if d["state"] != "delivered" {
			t.Errorf("what waited is %v", d)
		}
	}
}

func TestADeliveryIsGivenUpAfterThreeDays(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	id, _ := b.hook(b.ownKey, r.URL, "conversion.*")
	b.call(b.ownKey, "PATCH", "/v1/webhooks/"+id, `{"enabled":false}`, 200)
	b.sell("o1", "1.00", "MALI")
	loop := b.loop(b.service)
	b.advance(71 * time.Hour)
	b.send(loop)
	if d := b.deliveries(id)[0]; d["state"] != "waiting" {
		t.Errorf("after 71 hours: %v", d)
	}
	b.advance(2 * time.Hour)
	b.send(loop)
	if d := b.deliveries(id)[0]; d["state"] != "failed" || d["ended_at"] == nil {
		t.Errorf("after 73 hours: %v", d)
	}
	b.advance(40 * 24 * time.Hour)
	b.send(loop)
	if left := b.deliveries(id); len(left) != 0 || len(r.all()) != 0 {
		t.Errorf("after 40 days %d are kept, %d were sent", len(left), len(r.all()))
	}
}

func TestWhatIsNoSuccess(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	elsewhere := newReceiver(t)
	id, _ := b.hook(b.ownKey, r.URL)
	ping := func(want string) map[string]any {
		t.Helper()
		d := b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/ping", "", 200)
		if text, _ := d["error"].(string); !strings.Contains(text, want) || want == "" && text != "" {
			t.Errorf("got %v, want %q", d, want)
		}
		return d
	}
	if d := ping(""); d["state"] != "delivered" || d["event_type"] != "webhook.ping" || d["response_code"] != 200.0 {
		t.Errorf("a test: %v", d)
	}
	r.answer.Store(func(w http.ResponseWriter, _ int) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	if d := ping("redirects are not followed"); d["state"] != "failed" || len(elsewhere.all()) != 0 {
		t.Errorf("a redirect: %v, followed %d times", d, len(elsewhere.all()))
	}
	r.answer.Store(func(w http.ResponseWriter, _ int) { w.Header().Set("X", strings.Repeat("x", 2*maxAnswerHeaders)) })
	ping("headers exceeded")
	r.answer.Store(func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusGone) })
	ping("410")
	if hook := b.call(b.ownKey, "GET", "/v1/webhooks/"+id, "", 200); hook["enabled"] != false {
		t.Errorf("a webhook that is gone: %v", hook)
	}
	closed, _ := b.hook(b.ownKey, "https://metadata.example/")
	b.service.targets.Store(&targets{client: newClient(nil, false, nameServer(t, loopback[0].Addr().Next()))})
	d := b.call(b.ownKey, "POST", "/v1/webhooks/"+closed+"/ping", "", 200)
	if text, _ := d["error"].(string); !strings.Contains(text, "127.0.0.1 is not public") || d["response_code"] != nil {
		t.Errorf("a name that leads inside: %v", d)
	}
}

// TestNetworksChangeWhileItRuns, also for a connection that was kept.
func TestNetworksChangeWhileItRuns(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	id, _ := b.hook(b.ownKey, r.URL)
	ping := func() (failed string) {
		t.Helper()
		failed, _ = b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/ping", "", 200)["error"].(string)
		return failed
	}
	if failed := ping(); failed != "" {
		t.Fatal(failed)
	}
	b.service.SetNetworks(nil)
	if failed := ping(); !strings.Contains(failed, "127.0.0.1 is not public") {
		t.Errorf("a network that is not allowed any more: %q", failed)
	}
	b.call(b.ownKey, "POST", "/v1/webhooks", `{"url":"`+r.URL+`"}`, 422)
	b.service.SetNetworks(loopback)
	if failed := ping(); failed != "" {
		t.Errorf("a network that is allowed again: %q", failed)
	}
}

func TestTwoSecretsSignWhileOneReplacesTheOther(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	id, first := b.hook(b.ownKey, r.URL)
	second := b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/rotate", "", 200)["secret"].(string)
	ping := func(secret string) int {
		r.secret.Store(secret)
		b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/ping", "", 200)
		got := r.all()
		return len(strings.Fields(got[len(got)-1].signature))
	}
	if first == second || ping(first) != 2 || ping(second) != 2 {
		t.Error("the secrets do not both sign")
	}
	b.advance(25 * time.Hour)
	if ping(second) != 1 {
		t.Error("the old secret signs after its time")
	}
	third := b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/rotate", `{"overlap_hours":0}`, 200)["secret"].(string)
	if ping(third) != 1 {
		t.Error("the old secret signs though it must not")
	}
	b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/rotate", `{"overlap_hours":169}`, 422)
}

func TestDeliveriesAreReplayed(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t)
	id, _ := b.hook(b.ownKey, r.URL, "conversion.*", "action.*")
	b.sell("o1", "1.00", "MALI")
	b.sell("o2", "1.00", "MALI")
	loop := b.loop(b.service)
	b.send(loop)
	all := b.deliveries(id)
	if len(all) != 4 {
		t.Fatalf("%d deliveries", len(all))
	}
	again := b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/deliveries/"+all[0]["id"].(string)+"/replay", "", 202)
	if again["replay_of"] != all[0]["id"] || again["event_id"] != all[0]["event_id"] || again["state"] != "waiting" {
		t.Errorf("replayed as %v", again)
	}
	b.send(loop)
	if got := r.all(); len(got) != 5 || got[4].id != all[0]["event_id"] {
		t.Errorf("%d were sent", len(got))
	}
	one := b.call(b.ownKey, "GET", "/v1/webhooks/"+id+"/deliveries/"+all[0]["id"].(string), "", 200)
	if body, _ := one["body"].(map[string]any); body["id"] != all[0]["event_id"] {
		t.Errorf("the body of a delivery: %v", one)
	}
	b.call(b.strangerKey, "POST", "/v1/webhooks/"+id+"/deliveries/"+all[0]["id"].(string)+"/replay", "", 404)
	b.call(b.ownKey, "GET", "/v1/webhooks/"+id+"/deliveries/dlv_0", "", 404)
	const day = `"from":"2027-01-10T00:00:00Z","to":"2027-01-11T00:00:00Z"`
	for body, want := range map[string]float64{`{` + day + `}`: 0, `{` + day + `,"state":"all","event":"conversion.accepted"}`: 2, `{` + day + `,"state":"delivered"}`: 4} {
		if got := b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/replay", body, 202)["replayed"]; got != want {
			t.Errorf("%s replays %v", body, got)
		}
	}
	b.call(b.ownKey, "POST", "/v1/webhooks/"+id+"/replay", `{"from":"2027-01-11T00:00:00Z","to":"2027-01-10T00:00:00Z","state":"lost"}`, 422)
	b.send(loop)
	if got := r.all(); len(got) != 11 {
		t.Errorf("%d were sent", len(got))
	}
	seen := 0
	for cursor := ""; ; {
		list := b.call(b.ownKey, "GET", "/v1/webhooks/"+id+"/deliveries?state=delivered&limit=4&cursor="+cursor, "", 200)
		seen += len(list["items"].([]any))
		if cursor, _ = list["next_cursor"].(string); cursor == "" {
			break
		}
	}
	if seen != 11 {
		t.Errorf("%d are listed", seen)
	}
}
