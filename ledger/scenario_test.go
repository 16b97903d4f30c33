package ledger

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

// A scenario is a worked example of the rules, with local names for things.
type scenario struct {
	Start          string
	Advertiser     catalog.AdvertiserFields
	Campaigns      map[string]catalog.CampaignFields
	Creators       map[string]catalog.CreatorFields
	Participations []struct {
		Campaign, Creator string
		catalog.ParticipationFields
	}
	Tasks map[string]struct {
		Campaign, Creator string
		catalog.TaskFields
	}
	Links map[string]struct {
		Task string
		catalog.LinkFields
	}
	Codes map[string]struct {
		Task string
		catalog.CodeFields
	}
	Steps []scenarioStep
}

type scenarioStep struct {
	Click, As, UA string
	Advance       string
	Convert       map[string]any
	Budget        *struct {
		Campaign string
		Amount   attribution.Decimal
	}
	Reverse, Approve *struct{ OrderID, Reason string }
	PayTask          any `json:"pay_task"`
	Expect           *expectation
}

type expectation struct {
	Actions      map[string][]map[string]any
	Unattributed map[string][]string
	Campaigns    map[string]struct{ Status, Committed string }
	Payable      map[string]string
}

// TestScenarios runs the worked examples against the ledger. Those that pay tasks
// need more than this package's core and are run end to end elsewhere.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files := must(filepath.Glob("../cmd/tributary/testdata/scenarios/*.json"))(t)
	if len(files) == 0 {
		t.Fatal("there are no scenarios")
	}
	for _, file := range files {
		content := must(os.ReadFile(file))(t)
		if strings.Contains(string(content), `"pay_task"`) {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text := strings.NewReplacer(`"order_id": `, `"OrderID": `).Replace(string(content))
			var s scenario
			ok(t, json.Unmarshal([]byte(text), &s))
			newPlay(t, &s).run(s.Steps)
		})
	}
}

// A play is a scenario under way.
type play struct {
	*world
	campaigns, creators, tasks map[string]string
	links                      map[string]catalog.Link
	names                      map[string]string // of ids
	clicks                     map[string]string
}

func newPlay(t *testing.T, s *scenario) *play {
	p := &play{world: newWorld(t, s.Start), campaigns: map[string]string{}, creators: map[string]string{}, tasks: map[string]string{},
		links: map[string]catalog.Link{}, names: map[string]string{}, clicks: map[string]string{}}
	c := p.catalog
	p.advertiser = must(c.CreateAdvertiser(p.ctx, catalogAdmin, s.Advertiser))(t)
	for name, fields := range s.Campaigns {
		fields.AdvertiserID = p.advertiser.ID
		id := must(c.CreateCampaign(p.ctx, catalogAdmin, fields))(t).ID
		must(c.ApproveCampaign(p.ctx, catalogAdmin, id))(t)
		p.campaigns[name] = id
	}
	for name, fields := range s.Creators {
		p.creators[name] = must(c.CreateCreator(p.ctx, catalogAdmin, fields))(t).ID
		p.names[p.creators[name]] = name
	}
	for _, part := range s.Participations {
		part.ParticipationFields.CreatorID = p.creators[part.Creator]
		must(c.AddCreator(p.ctx, catalogAdmin, p.campaigns[part.Campaign], part.ParticipationFields))(t)
	}
	for name, task := range s.Tasks {
		task.CampaignID, task.CreatorID = p.campaigns[task.Campaign], p.creators[task.Creator]
		p.tasks[name] = must(c.CreateTask(p.ctx, catalogAdmin, task.TaskFields))(t).ID
		p.names[p.tasks[name]] = name
	}
	for name, link := range s.Links {
		p.links[name] = must(c.CreateLink(p.ctx, catalogAdmin, p.tasks[link.Task], link.LinkFields))(t)
	}
	for _, code := range s.Codes {
		must(c.CreateCode(p.ctx, catalogAdmin, p.tasks[code.Task], code.CodeFields))(t)
	}
	return p
}

func (p *play) run(steps []scenarioStep) {
	for i, step := range steps {
		switch {
		case step.Click != "":
			verdict := attribution.Valid
			if step.UA == "bot" {
				verdict = attribution.Bot
			}
			p.clicks[step.As] = p.click(p.links[step.Click], verdict)
		case step.Advance != "":
			p.advance(must(time.ParseDuration(step.Advance))(p))
		case step.Convert != nil:
			p.convert(step.Convert)
		case step.Budget != nil:
			p.patch(p.campaigns[step.Budget.Campaign], `{"budget":{"amount":"`+string(step.Budget.Amount)+`"}}`)
		case step.Reverse != nil:
			for _, a := range p.actions(step.Reverse.OrderID) {
				_, err := p.Reverse(p.ctx, adminScope, a.ID, step.Reverse.Reason, "")
				ok(p, err)
			}
		case step.Approve != nil:
			for _, a := range p.actions(step.Approve.OrderID) {
				_, err := p.Approve(p.ctx, adminScope, a.ID)
				ok(p, err)
			}
		case step.Expect != nil:
			p.expect(i, step.Expect)
		}
	}
}

// convert reports a conversion, with "$name" for a click's id.
func (p *play) convert(fields map[string]any) {
	named := func(value any) any {
		name, isName := strings.CutPrefix(value.(string), "$")
		switch {
		case !isName:
			return value
		case name == "forged":
			var id []byte
			for _, click := range p.clicks {
				id = []byte(click)
			}
			id[len(id)/2] ^= 1
			if id[len(id)/2] == '-' {
				id[len(id)/2] = 'x'
			}
			return string(id)
		}
		return p.clicks[name]
	}
	if id := fields["click_id"]; id != nil {
		fields["click_id"] = named(id)
	}
	if ids, given := fields["click_ids"].([]any); given {
		for i := range ids {
			ids[i] = named(ids[i])
		}
	}
	fields["order_id"] = fields["OrderID"]
	delete(fields, "OrderID")
	p.settle(p.report(string(must(json.Marshal(fields))(p))))
}

func (p *play) expect(step int, want *expectation) {
	for order, actions := range want.Actions {
		got := p.actions(order)
		if len(got) != len(actions) {
			p.Fatalf("step %d: order %s has %d actions, want %d", step, order, len(got), len(actions))
		}
		for i, fields := range actions {
			var have map[string]any
			ok(p, json.Unmarshal(must(json.Marshal(got[i]))(p), &have))
			have["task"] = p.names[have["task_id"].(string)]
			for name, value := range fields {
				if name == "credit" && value == nil {
					continue
				}
				a, b := string(must(json.Marshal(have[name]))(p)), string(must(json.Marshal(value))(p))
				if a != b {
					p.Errorf("step %d: order %s, action %d, %s: got %s, want %s", step, order, i, name, a, b)
				}
			}
		}
	}
	for order, reasons := range want.Unattributed {
		got := must(p.Conversions(p.ctx, adminScope, ConversionFilter{OrderID: order}, Page{}))(p).Items
		if len(got) != 1 || got[0].Attributed || got[0].Reason == nil || !slices.Contains(reasons, *got[0].Reason) {
			p.Errorf("step %d: order %s: got %+v, want it unattributed for one of %v", step, order, got, reasons)
		}
	}
	for name, campaign := range want.Campaigns {
		got := p.campaign(p.campaigns[name])
		equal(p, "status of "+name, got.Status, campaign.Status)
		var committed int64
		ok(p, p.db.View(p.ctx, committedOf(p.campaigns[name], &committed)))
		equal(p, "committed of "+name, attribution.FormatMoney(committed, got.Currency), campaign.Committed)
	}
	p.expectPayable(want.Payable)
}

func (p *play) expectPayable(want map[string]string) {
	sums, currency := map[string]int64{}, ""
	for _, a := range must(p.Actions(p.ctx, adminScope, ActionFilter{State: Payable}, Page{}))(p).Items {
		minor := must(attribution.ParseMoney(attribution.Decimal(*a.Payout), a.Currency))(p)
		sums[p.names[a.CreatorID]] += minor
		currency = a.Currency
	}
	equal(p, "creators with something payable", len(sums), len(want))
	for name, amount := range want {
		equal(p, "payable of "+name, attribution.FormatMoney(sums[name], currency), amount)
	}
}
