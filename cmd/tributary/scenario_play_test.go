package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A player plays one scenario through the public interface.
type player struct {
	*testApp
	scenario  *scenario
	ingestKey string
	ids       map[string]map[string]string // by kind and local name
	slugs     map[string]string            // by link
	clicks    map[string]string            // click ids by name
	lastClick string
}

const (
	chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	bot    = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)

func playScenario(t *testing.T, s *scenario) {
	o := testOptions(t, t.TempDir())
	o.Sandbox, o.ClickHouse = true, "clickhouse://127.0.0.1:9/tributary" // money needs no ClickHouse
	p := &player{testApp: startTestApp(t, o), scenario: s, slugs: map[string]string{}, clicks: map[string]string{}}
	p.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"set": s.Start}, http.StatusOK)
	p.prepare()
	for i, step := range s.Steps {
		p.step(i, &step)
	}
}

// prepare makes the things of the scenario.
func (p *player) prepare() {
	p.t.Helper()
	s := p.scenario
	advertiser := p.make("/v1/advertisers", s.Advertiser)
	p.ids = map[string]map[string]string{"advertiser": {"": advertiser}}
	p.ingestKey = p.call(http.MethodPost, "/v1/keys", map[string]any{"role": "ingest", "advertiser_id": advertiser}, http.StatusCreated)["key"].(string)
	p.makeAll("creator", s.Creators, func(map[string]any) string { return "/v1/creators" })
	p.makeAll("campaign", s.Campaigns, func(fields map[string]any) string {
		fields["advertiser_id"] = advertiser
		return "/v1/campaigns"
	})
	for _, id := range p.ids["campaign"] {
		p.call(http.MethodPost, "/v1/campaigns/"+id+"/approve", nil, http.StatusOK)
	}
	for _, fields := range s.Participations {
		path := "/v1/campaigns/" + p.take(fields, "campaign") + "/creators"
		fields["creator_id"] = p.take(fields, "creator")
		p.call(http.MethodPost, path, fields, http.StatusCreated)
	}
	p.makeAll("task", s.Tasks, func(fields map[string]any) string {
		fields["campaign_id"], fields["creator_id"] = p.take(fields, "campaign"), p.take(fields, "creator")
		return "/v1/tasks"
	})
	p.makeAll("link", s.Links, func(fields map[string]any) string { return "/v1/tasks/" + p.take(fields, "task") + "/links" })
	p.makeAll("code", s.Codes, func(fields map[string]any) string { return "/v1/tasks/" + p.take(fields, "task") + "/codes" })
}

func (p *player) makeAll(kind string, things map[string]map[string]any, path func(fields map[string]any) string) {
	p.t.Helper()
	p.ids[kind] = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(things)) {
		fields := things[name]
		to := path(fields)
		made := p.call(http.MethodPost, to, fields, http.StatusCreated)
		p.ids[kind][name] = made["id"].(string)
		if slug, isLink := made["slug"].(string); isLink {
			p.slugs[name] = slug
		}
	}
}

// take removes a local name from fields and returns the id of what it names.
func (p *player) take(fields map[string]any, kind string) string {
	p.t.Helper()
	name, _ := fields[kind].(string)
	delete(fields, kind)
	return p.id(kind, name)
}

func (p *player) id(kind, name string) string {
	p.t.Helper()
	id := p.ids[kind][name]
	if id == "" {
		p.t.Fatalf("the scenario has no %s %q", kind, name)
	}
	return id
}

func (p *player) step(i int, s *scenarioStep) {
	p.t.Helper()
	switch {
	case s.Click != "":
		p.follow(s.Click, s.As, s.UA)
	case s.Advance != "":
		p.call(http.MethodPost, "/v1/sandbox/clock", map[string]any{"advance": s.Advance}, http.StatusOK)
	case s.Convert != nil:
		p.convert(s.Convert)
	case s.Budget != nil:
		p.call(http.MethodPatch, "/v1/campaigns/"+p.take(s.Budget, "campaign"), map[string]any{"budget": s.Budget}, http.StatusOK)
	case s.Reverse != nil:
		p.actOn(s.Reverse, "reverse")
	case s.Approve != nil:
		p.actOn(s.Approve, "approve")
	case s.PayTask != nil:
		p.try("/v1/tasks/"+p.take(s.PayTask, "task")+"/pay", s.PayTask)
	case s.Expect != nil:
		p.expect(i, s.Expect)
	default:
		p.t.Fatalf("step %d does nothing", i)
	}
}

// follow clicks a link; the click id in the Location gets the name.
func (p *player) follow(link, as, userAgent string) {
	p.t.Helper()
	shopper := map[string]string{"": chrome, "chrome": chrome, "bot": bot}[userAgent]
	location, err := url.Parse(p.clicked(map[string]any{"slug": p.slugs[link]}, shopper))
	if err != nil {
		p.t.Fatal(err)
	}
	p.lastClick = location.Query().Get("tcid")
	p.clicks[as] = p.lastClick
}

// convert reports a conversion as the shop's server does.
func (p *player) convert(fields map[string]any) {
	p.t.Helper()
	if id, named := fields["click_id"].(string); named {
		fields["click_id"] = p.clickID(id)
	}
	if ids, named := fields["click_ids"].([]any); named {
		for i, id := range ids {
			ids[i] = p.clickID(id.(string))
		}
	}
	status, answer := p.send("http://"+p.trackerListener.Addr().String()+"/t/conversions?wait=5s", p.ingestKey, fields)
	if status != http.StatusOK {
		p.t.Fatalf("the conversion %v is answered %d: %s", fields, status, answer)
	}
}

// clickID is the click id a conversion names.
func (p *player) clickID(name string) string {
	p.t.Helper()
	if name == "$forged" {
		forged := []byte(p.lastClick)
		middle := len(forged) / 2
		forged[middle] = map[bool]byte{true: 'a', false: 'Q'}[forged[middle] == 'Q' || forged[middle] < 'a']
		return string(forged)
	}
	id := p.clicks[strings.TrimPrefix(name, "$")]
	if id == "" {
		p.t.Fatalf("the scenario has no click %s", name)
	}
	return id
}

// actOn does something to an order's actions, where it is allowed.
func (p *player) actOn(fields map[string]any, verb string) {
	p.t.Helper()
	body := map[string]any{}
	if reason, given := fields["reason"]; given {
		body["reason"] = reason
	}
	for _, action := range p.actions("order_id", fields["order_id"].(string)) {
		p.try("/v1/actions/"+action["id"].(string)+"/"+verb, body)
	}
}

// try posts what may be refused: a refusal is an answer too.
func (p *player) try(path string, body map[string]any) {
	p.t.Helper()
	status, answer := p.send("http://"+p.adminListener.Addr().String()+path, p.key, body)
	if status/100 != 2 && status != http.StatusConflict {
		p.t.Fatalf("%s is answered %d: %s", path, status, answer)
	}
}

// send posts with a key and returns the answer, whatever it is.
func (a *testApp) send(address, key string, body map[string]any) (status int, answer []byte) {
	a.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, address, bytes.NewReader(content))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		a.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// report sends a conversion with the admin's key and waits for nothing.
func (a *testApp) report(advertiserID string, fields map[string]any) {
	a.t.Helper()
	eventually(a.t, func() error {
		status, answer := a.send("http://"+a.trackerListener.Addr().String()+"/t/conversions?advertiser_id="+advertiserID, a.key, fields)
		if status != http.StatusOK || bytes.Contains(answer, []byte("rejected")) {
			return fmt.Errorf("a conversion is answered %d: %s", status, answer)
		}
		return nil
	})
}

// actions are the advertiser's actions that have a value in a field, oldest first.
func (p *player) actions(field, value string) []map[string]any {
	p.t.Helper()
	return p.list("/v1/actions?" + url.Values{field: {value}, "limit": {"1000"}}.Encode())
}

func (p *player) list(path string) []map[string]any {
	p.t.Helper()
	items, _ := p.call(http.MethodGet, path, nil, http.StatusOK)["items"].([]any)
	list := make([]map[string]any, len(items))
	for i, item := range items {
		list[i] = item.(map[string]any)
	}
	return list
}

// expect compares everything, exactly.
func (p *player) expect(step int, want *expectation) {
	p.t.Helper()
	var differences []string
	differ := func(what string, got, want any) {
		g, w := asText(got), asText(want)
		if g != w {
			differences = append(differences, fmt.Sprintf("%s\n   got %s\n  want %s", what, g, w))
		}
	}
	counted := 0
	for name, actions := range want.Actions {
		got := p.orderActions(name)
		counted += len(got)
		differ("actions of "+name, p.shown(got, actions), actions)
	}
	differ("number of actions", len(p.actions("advertiser_id", p.ids["advertiser"][""])), counted)
	for order, reasons := range want.Unattributed {
		differ("actions of "+order, len(p.actions("order_id", order)), 0)
		for _, conversion := range p.list("/v1/conversions?order_id=" + url.QueryEscape(order)) {
			reason, _ := conversion["reason"].(string)
			if conversion["attributed"] != false || !slices.Contains(reasons, reason) {
				differ("why "+order+" is unattributed", reason, reasons)
			}
		}
	}
	for name, campaign := range want.Campaigns {
		got := p.call(http.MethodGet, "/v1/campaigns/"+p.id("campaign", name), nil, http.StatusOK)
		budget, _ := got["budget"].(map[string]any)
		differ("campaign "+name, map[string]any{"status": got["status"], "committed": budget["committed"]}, campaign)
	}
	for name, id := range p.ids["creator"] {
		payable := want.Payable[name]
		if payable == "" {
			payable = "0"
		}
		differ("payable of "+name, p.payable(id), asAmount(p.t, payable))
	}
	if len(differences) > 0 {
		p.t.Fatalf("%s (%s), step %d:\n%s", p.scenario.Name, p.scenario.Why, step, strings.Join(differences, "\n"))
	}
}

// orderActions are the actions of an order, or the payments of a task.
func (p *player) orderActions(name string) []map[string]any {
	p.t.Helper()
	if task, isTask := strings.CutPrefix(name, "task:"); isTask {
		return slices.DeleteFunc(p.actions("task_id", p.id("task", task)), func(a map[string]any) bool { return a["referral"] != "task" })
	}
	return p.actions("order_id", name)
}

// shown is of the actions what the wanted ones say.
func (p *player) shown(actions, wanted []map[string]any) []map[string]any {
	tasks := map[string]any{}
	for name, id := range p.ids["task"] {
		tasks[id] = name
	}
	shown := make([]map[string]any, len(actions))
	for i, action := range actions {
		action["task"] = tasks[fmt.Sprint(action["task_id"])]
		if i >= len(wanted) {
			shown[i] = action
			continue
		}
		shown[i] = map[string]any{}
		for field, value := range wanted[i] {
			shown[i][field] = action[field]
			if field == "credit" && value == nil {
				shown[i][field] = nil // a null credit is not compared
			}
		}
	}
	return shown
}

// payable sums what a creator's balances say is payable, in millionths.
func (p *player) payable(creatorID string) (sum int64) {
	p.t.Helper()
	for _, balance := range p.list("/v1/creators/" + creatorID + "/balance") {
		sum += asAmount(p.t, fmt.Sprint(balance["payable"]))
	}
	return sum
}

// asAmount reads a decimal in millionths.
func asAmount(t *testing.T, decimal string) int64 {
	t.Helper()
	whole, fraction, _ := strings.Cut(decimal, ".")
	n, err := strconv.ParseInt(whole+(fraction + "000000")[:6], 10, 64)
	if err != nil {
		t.Fatalf("%q is no amount: %v", decimal, err)
	}
	return n
}

func asText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
