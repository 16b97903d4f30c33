package catalog

import (
	"slices"
	"testing"

	"tributary/attribution"
)

// testTenants lets a second tenant, and keys that see nothing, try everything on
// the first one's things.
func testTenants(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	link := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	key, _, err := w.CreateKey(w.ctx, admin, KeyFields{Role: RoleAdvertiser, AdvertiserID: w.advertiser.ID})
	ok(t, err)
	fields := acme()
	fields.Name = "Other"
	other := must(w.CreateAdvertiser(w.ctx, admin, fields))(t)
	stranger := must(w.CreateCreator(w.ctx, admin, CreatorFields{Name: "Stranger"}))(t)
	must(w.ApproveCampaign(w.ctx, admin, w.campaign.ID))(t)
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"visibility":"invite"}`)))(t)

	patch := patchOf(`{}`)
	for name, scope := range map[string]Scope{
		"other advertiser": {Role: RoleAdvertiser, AdvertiserID: other.ID},
		"other creator":    {Role: RoleCreator, CreatorID: stranger.ID},
		"ingest":           {Role: RoleIngest, AdvertiserID: w.advertiser.ID},
		"nobody":           {},
		"empty advertiser": {Role: RoleAdvertiser},
		"empty creator":    {Role: RoleCreator},
	} {
		t.Run(name, func(t *testing.T) {
			for what, call := range map[string]func() error{
				"Advertiser":        func() error { _, err := w.Advertiser(w.ctx, scope, w.advertiser.ID); return err },
				"PatchAdvertiser":   func() error { _, err := w.PatchAdvertiser(w.ctx, scope, w.advertiser.ID, patch); return err },
				"ArchiveAdvertiser": func() error { return w.ArchiveAdvertiser(w.ctx, scope, w.advertiser.ID) },
				"Creator":           func() error { _, err := w.Creator(w.ctx, scope, w.creator.ID); return err },
				"PatchCreator":      func() error { _, err := w.PatchCreator(w.ctx, scope, w.creator.ID, patch); return err },
				"ArchiveCreator":    func() error { return w.ArchiveCreator(w.ctx, scope, w.creator.ID) },
				"Campaign":          func() error { _, err := w.Campaign(w.ctx, scope, w.campaign.ID); return err },
				"PatchCampaign":     func() error { _, err := w.PatchCampaign(w.ctx, scope, w.campaign.ID, patch); return err },
				"PauseCampaign":     func() error { _, err := w.PauseCampaign(w.ctx, scope, w.campaign.ID); return err },
				"ArchiveCampaign":   func() error { return w.ArchiveCampaign(w.ctx, scope, w.campaign.ID) },
				"AddCreator":        func() error { _, err := w.AddCreator(w.ctx, scope, w.campaign.ID, ParticipationFields{}); return err },
				"Participation":     func() error { _, err := w.Participation(w.ctx, scope, w.campaign.ID, w.creator.ID); return err },
				"Participations": func() error {
					_, err := w.Participations(w.ctx, scope, w.campaign.ID, ParticipationFilter{}, Page{})
					return err
				},
				"PatchParticipation": func() error {
					_, err := w.PatchParticipation(w.ctx, scope, w.campaign.ID, w.creator.ID, patch)
					return err
				},
				"Task":         func() error { _, err := w.Task(w.ctx, scope, w.task.ID); return err },
				"PatchTask":    func() error { _, err := w.PatchTask(w.ctx, scope, w.task.ID, patch); return err },
				"ArchiveTask":  func() error { return w.ArchiveTask(w.ctx, scope, w.task.ID) },
				"Link":         func() error { _, err := w.Link(w.ctx, scope, link.ID); return err },
				"LinkByNumber": func() error { _, err := w.LinkByNumber(w.ctx, scope, link.Number); return err },
				"CreateLink":   func() error { _, err := w.CreateLink(w.ctx, scope, w.task.ID, LinkFields{}); return err },
				"PatchLink":    func() error { _, err := w.PatchLink(w.ctx, scope, link.ID, patch); return err },
				"DeleteLink":   func() error { return w.DeleteLink(w.ctx, scope, link.ID) },
				"Key":          func() error { _, err := w.Key(w.ctx, scope, key.ID); return err },
				"ArchiveKey":   func() error { return w.ArchiveKey(w.ctx, scope, key.ID) },
				"bulk link": func() error {
					r, err := w.CreateLinks(w.ctx, scope, []LinkRequest{{TaskID: w.task.ID}})
					ok(t, err)
					return r[0].Problem
				},
				"unknown advertiser":    func() error { _, err := w.Advertiser(w.ctx, scope, "adv_x"); return err },
				"unknown link":          func() error { return w.DeleteLink(w.ctx, scope, "lnk_x") },
				"unknown participation": func() error { _, err := w.Participation(w.ctx, scope, "cmp_x", "crt_x"); return err },
			} {
				problem, is := attribution.AsProblem(call())
				if !is || problem.Code != attribution.CodeNotFound {
					t.Errorf("%s: want not_found, got %v", what, problem)
				}
			}
			lists := map[string]int{
				"advertisers": len(must(w.Advertisers(w.ctx, scope, AdvertiserFilter{}, Page{}))(t).Items),
				"creators":    len(must(w.Creators(w.ctx, scope, CreatorFilter{CampaignID: w.campaign.ID}, Page{}))(t).Items),
				"campaigns":   len(must(w.Campaigns(w.ctx, scope, CampaignFilter{AdvertiserID: w.advertiser.ID}, Page{}))(t).Items),
				"tasks":       len(must(w.Tasks(w.ctx, scope, TaskFilter{}, Page{}))(t).Items),
				"links":       len(must(w.Links(w.ctx, scope, LinkFilter{}, Page{}))(t).Items),
				"keys":        len(must(w.Keys(w.ctx, scope, KeyFilter{}, Page{}))(t).Items),
				"audit log":   len(must(w.AuditLog(w.ctx, scope, AuditFilter{ThingID: w.campaign.ID}, Page{}))(t).Items),
			}
			if scope.AdvertiserID == other.ID {
				lists["advertisers"]-- // its own
			}
			for what, n := range lists {
				equal(t, what, n, 0)
			}
		})
	}
	_, err = w.CreateCampaign(w.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: other.ID}, spring(w.advertiser.ID))
	failed(t, err, "body.advertiser_id")
	_, _, err = w.CreateKey(w.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: other.ID}, KeyFields{Role: RoleIngest, AdvertiserID: w.advertiser.ID})
	failed(t, err, "body.advertiser_id")
	for what, err := range map[string]error{
		"advertiser": second(w.CreateAdvertiser(w.ctx, w.asAdvertiser(), acme())),
		"creator":    second(w.CreateCreator(w.ctx, w.asAdvertiser(), CreatorFields{})),
		"campaign":   second(w.CreateCampaign(w.ctx, w.asCreator(), CampaignFields{})),
		"task":       second(w.CreateTask(w.ctx, w.asCreator(), TaskFields{})),
		"profile":    second(w.PatchCreator(w.ctx, w.asAdvertiser(), w.creator.ID, patch)),
		"labels":     second(w.PatchCreator(w.ctx, w.asCreator(), w.creator.ID, patchOf(`{"labels":["vip"]}`))),
		"pause":      second(w.PauseCampaign(w.ctx, w.asCreator(), w.campaign.ID)),
		"archive":    w.ArchiveAdvertiser(w.ctx, w.asAdvertiser(), w.advertiser.ID),
	} {
		if problem, is := attribution.AsProblem(err); !is || problem.Code != attribution.CodeForbidden {
			t.Errorf("%s: want forbidden, got %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func testCreatorsSee(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	other := must(w.CreateCreator(w.ctx, admin, CreatorFields{Name: "Som", PayoutDetails: map[string]any{"iban": "x"}}))(t)
	scope := Scope{Role: RoleCreator, CreatorID: other.ID}
	make := func(visibility string, approve bool) string {
		fields := spring(w.advertiser.ID)
		fields.Visibility = visibility
		id := must(w.CreateCampaign(w.ctx, admin, fields))(t).ID
		if approve {
			must(w.ApproveCampaign(w.ctx, admin, id))(t)
		}
		return id
	}
	draft, live, closed, invited, left := make("open", false), make("open", true), make("closed", true), make("invite", true), make("open", true)
	must(w.AddCreator(w.ctx, admin, invited, ParticipationFields{CreatorID: other.ID, Status: Invited}))(t)
	must(w.AddCreator(w.ctx, admin, left, ParticipationFields{CreatorID: other.ID, Status: Unavailable}))(t)
	var listed []string
	for _, campaign := range must(w.Campaigns(w.ctx, scope, CampaignFilter{}, Page{}))(t).Items {
		listed = append(listed, campaign.ID)
	}
	for what, want := range map[string]struct {
		id   string
		sees bool
	}{"draft": {draft, false}, "live": {live, true}, "closed, signed up before": {closed, true}, "invited": {invited, true}, "left": {left, false}} {
		_, err := w.Campaign(w.ctx, scope, want.id)
		equal(t, what+" found", err == nil, want.sees)
		equal(t, what+" listed", slices.Contains(listed, want.id), want.sees)
	}
	if must(w.Creator(w.ctx, w.asAdvertiser(), other.ID))(t).PayoutDetails != nil {
		t.Error("an advertiser sees payout details")
	}
	if must(w.Creator(w.ctx, scope, other.ID))(t).PayoutDetails == nil {
		t.Error("a creator does not see its own payout details")
	}
}

func testMargins(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	fields := spring(w.advertiser.ID)
	fields.MarginRate, fields.AgencyMarginRate, fields.Budget = "0.2", "0.1", &Budget{Amount: "10"}
	_, err := w.CreateCampaign(w.ctx, w.asAdvertiser(), fields)
	failed(t, err, "body.margin_rate", "body.agency_margin_rate")
	agency := must(w.CreateCampaign(w.ctx, admin, fields))(t)
	_, err = w.PatchCampaign(w.ctx, w.asAdvertiser(), agency.ID, patchOf(`{"margin_rate":"0.01"}`))
	failed(t, err, "body.margin_rate")
	seen := must(w.PatchCampaign(w.ctx, w.asAdvertiser(), agency.ID, patchOf(`{"title":"Mine"}`)))(t)
	equal(t, "an advertiser's view", seen.MarginRate+seen.AgencyMarginRate, "")
	kept := must(w.Campaign(w.ctx, admin, agency.ID))(t)
	equal(t, "kept margins", kept.MarginRate+"+"+kept.AgencyMarginRate, "0.2+0.1")
	equal(t, "without an agency", must(w.Campaign(w.ctx, w.asAdvertiser(), w.campaign.ID))(t).MarginRate, "0.33")

	must(w.ApproveCampaign(w.ctx, admin, agency.ID))(t)
	for _, seen := range append(must(w.Campaigns(w.ctx, w.asCreator(), CampaignFilter{}, Page{}))(t).Items, must(w.Campaign(w.ctx, w.asCreator(), agency.ID))(t)) {
		if seen.MarginRate != "" || seen.AgencyMarginRate != "" || seen.Budget != nil || seen.CampaignFields.Budget != nil {
			t.Errorf("a creator sees what the campaign costs: %s", asJSON(t, seen))
		}
	}
}

func testPages(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	requests := make([]LinkRequest, 25)
	for i := range requests {
		requests[i].TaskID = w.task.ID
	}
	must(w.CreateLinks(w.ctx, admin, requests))(t)
	for range 24 {
		must(w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok"}))(t)
	}
	var links, tasks []string
	for p := (Page{Limit: 10}); ; {
		list := must(w.Links(w.ctx, admin, LinkFilter{TaskID: w.task.ID}, p))(t)
		for _, link := range list.Items {
			links = append(links, link.ID)
		}
		if p.Cursor = list.NextCursor; p.Cursor == "" {
			break
		}
	}
	for p := (Page{Limit: 5}); ; {
		list := must(w.Tasks(w.ctx, admin, TaskFilter{}, p))(t)
		for _, task := range list.Items {
			tasks = append(tasks, task.ID)
		}
		if p.Cursor = list.NextCursor; p.Cursor == "" {
			break
		}
	}
	for what, ids := range map[string][]string{"links": links, "tasks": tasks} {
		slices.Sort(ids)
		equal(t, what, len(slices.Compact(ids)), 25)
	}
	_, err := w.Links(w.ctx, admin, LinkFilter{}, Page{Limit: 1001})
	failed(t, err, "query.limit")
	_, err = w.Links(w.ctx, admin, LinkFilter{}, Page{Cursor: "x"})
	failed(t, err, "query.cursor")
	_, err = w.Tasks(w.ctx, admin, TaskFilter{}, Page{Cursor: "crt_00000000000000000000000000"})
	failed(t, err, "query.cursor")
}

func testFilters(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	som := must(w.CreateCreator(w.ctx, admin, CreatorFields{Name: "Som 100%", Country: "th", Labels: []string{"vip_1"}, Email: "som@example.com"}))(t)
	link := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: "Spring", Label: "bio"}))(t)
	fields := spring(w.advertiser.ID)
	fields.Title, fields.Kind, fields.Platforms = "Autumn", "code", []string{"x"}
	must(w.CreateCampaign(w.ctx, admin, fields))(t)
	for what, n := range map[string][2]int{
		"advertisers by q": {len(must(w.Advertisers(w.ctx, admin, AdvertiserFilter{Q: "CM"}, Page{}))(t).Items), 1},
		"no advertiser":    {len(must(w.Advertisers(w.ctx, admin, AdvertiserFilter{Q: "zz"}, Page{}))(t).Items), 0},
		"creators by q":    {len(must(w.Creators(w.ctx, admin, CreatorFilter{Q: "100%"}, Page{}))(t).Items), 1},
		"q is literal":     {len(must(w.Creators(w.ctx, admin, CreatorFilter{Q: "m%l"}, Page{}))(t).Items), 0},
		"by e-mail":        {len(must(w.Creators(w.ctx, admin, CreatorFilter{Q: "som@"}, Page{}))(t).Items), 1},
		"by label":         {len(must(w.Creators(w.ctx, admin, CreatorFilter{Label: "vip_1"}, Page{}))(t).Items), 1},
		"label is whole":   {len(must(w.Creators(w.ctx, admin, CreatorFilter{Label: "vip"}, Page{}))(t).Items), 0},
		"by country":       {len(must(w.Creators(w.ctx, admin, CreatorFilter{Country: som.Country}, Page{}))(t).Items), 1},
		"by campaign":      {len(must(w.Creators(w.ctx, admin, CreatorFilter{CampaignID: w.campaign.ID}, Page{}))(t).Items), 1},
		"by kind":          {len(must(w.Campaigns(w.ctx, admin, CampaignFilter{Kind: "code"}, Page{}))(t).Items), 1},
		"by platform":      {len(must(w.Campaigns(w.ctx, admin, CampaignFilter{Platform: "tiktok"}, Page{}))(t).Items), 1},
		"by title":         {len(must(w.Campaigns(w.ctx, admin, CampaignFilter{Q: "autu"}, Page{}))(t).Items), 1},
		"by advertiser":    {len(must(w.Campaigns(w.ctx, admin, CampaignFilter{AdvertiserID: w.advertiser.ID}, Page{}))(t).Items), 2},
		"tasks":            {len(must(w.Tasks(w.ctx, admin, TaskFilter{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok", Status: "open"}, Page{}))(t).Items), 1},
		"no tasks":         {len(must(w.Tasks(w.ctx, admin, TaskFilter{Status: "approved"}, Page{}))(t).Items), 0},
		"links": {len(must(w.Links(w.ctx, admin, LinkFilter{TaskID: w.task.ID, CampaignID: w.campaign.ID, CreatorID: w.creator.ID,
			Platform: "tiktok", Slug: "sprinG", Label: "bio"}, Page{}))(t).Items), 1},
		"no links": {len(must(w.Links(w.ctx, admin, LinkFilter{Slug: link.Slug + "x"}, Page{}))(t).Items), 0},
	} {
		equal(t, what, n[0], n[1])
	}
}
