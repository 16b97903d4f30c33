package dashboard

import (
	"slices"
	"strconv"
	"sync"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
)

// A campaignHead is what stands above every page of a campaign.
type campaignHead struct {
	Campaign catalog.Campaign
	Tabs     []tab
}

// A tab is a page beside others of the same thing.
type tab struct {
	Label, Path string
	Current     bool
}

// campaign finds the campaign that the address names. It must be the advertiser's
// whose pages these are; an admin without a choice is led to the right one.
func (v *visit) campaign() (campaignHead, error) {
	id := v.r.PathValue("id")
	c, err := v.Catalog.Campaign(v.Context(), v.Session.Scope, id)
	if err != nil {
		return campaignHead{}, err
	}
	if c.AdvertiserID != v.Advertiser.ID {
		if !v.IsAdmin() {
			return campaignHead{}, attribution.Refuse(attribution.CodeNotFound, "there is no campaign %.64q", id)
		}
		if err := v.lookAt(c.AdvertiserID); err != nil {
			return campaignHead{}, err
		}
	}
	v.Title = c.Title
	head := campaignHead{Campaign: c}
	for _, t := range []tab{{Label: "Performance"}, {Label: "Journey", Path: "/journey"}, {Label: "Creators", Path: "/creators"}, {Label: "Links and codes", Path: "/links"}, {Label: "Posts", Path: "/posts"}, {Label: "Terms", Path: "/terms"}} {
		t.Current = v.Page.Path == "/campaigns/{id}"+t.Path
		t.Path = "/campaigns/" + id + t.Path
		head.Tabs = append(head.Tabs, t)
	}
	return head, nil
}

// A campaignView is how a campaign does.
type campaignView struct {
	campaignHead
	Now       block[figures]
	Before    figures
	Chart     block[*chart]
	By        breakdown
	Table     block[figures]
	Countries block[[]bar]
	Devices   block[[]bar]
	Burn      block[*burn]
	Directory *directory
	Links     map[string]catalog.Link
	Tasks     map[string]catalog.Task
}

// headline are the figures above a chart.
var headline = []string{
	"hits", "unique_clicks", "actions", "conversion_rate", "sale_amount", "average_order", "payout", "epc", "cost", "cpa", "roas", "reversal_rate",
}

// A breakdown is what the table of a campaign page is by.
type breakdown struct{ Name, Label string }

var breakdowns = []breakdown{
	{"creator", "Creator"}, {"platform", "Platform"}, {"task", "Task"}, {"link", "Link"}, {"code", "Code"}, {"country", "Country"}, {"device", "Device"}, {"referrer", "Referrer"},
}

func (campaignView) Breakdowns() []breakdown { return breakdowns }

func showCampaign(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := &campaignView{campaignHead: head, By: breakdowns[0], Directory: v.directory()}
	if i := slices.IndexFunc(breakdowns, func(b breakdown) bool { return b.Name == v.Query("by") }); i >= 0 {
		view.By = breakdowns[i]
	}
	only := map[string][]string{"campaign_id": {head.Campaign.ID}}
	ask := func(p period, by string, limit int, columns ...string) (figures, error) {
		return v.ask(p, reports.Question{GroupBy: []string{by}, Filters: only, Limit: limit, Columns: columns})
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		now, err := ask(v.Period, "campaign", 0, headline...)
		view.Now = try(v, "figures", now, err)
	})
	wg.Go(func() {
		if v.Period.Compare {
			view.Before, _ = ask(v.Period.Before(), "campaign", 0, headline...) // without it nothing is compared
		}
	})
	wg.Go(func() { view.Chart = v.activity(head.Campaign.Currency, only) })
	wg.Go(func() {
		table, err := ask(v.Period, view.By.Name, 100, "unique_clicks", "actions", "conversion_rate", "sale_amount", "payout", "cost", "roas", "reversal_rate")
		view.Table = try(v, "breakdown", table, err)
	})
	wg.Go(func() { view.Countries = v.barsOf(ask(v.Period, "country", 8, "hits", "unique_clicks")) })
	wg.Go(func() { view.Devices = v.barsOf(ask(v.Period, "device", 8, "hits", "unique_clicks")) })
	wg.Go(func() {
		b, err := v.burnDown(head.Campaign)
		view.Burn = try(v, "budget", b, err)
	})
	wg.Go(func() { view.nameThings(v) })
	wg.Wait()
	return view, nil
}

// nameThings reads the names of what the table is by.
func (view *campaignView) nameThings(v *visit) {
	id, page := view.Campaign.ID, catalog.Page{Limit: catalog.MaxLimit}
	view.Links, view.Tasks = map[string]catalog.Link{}, map[string]catalog.Task{}
	if view.By.Name == "link" {
		links, _ := v.Catalog.Links(v.Context(), v.Session.Scope, catalog.LinkFilter{CampaignID: id}, page) // ids stand for names
		for _, l := range links.Items {
			view.Links[l.ID] = l
		}
	}
	if view.By.Name == "task" || view.By.Name == "link" {
		tasks, _ := v.Catalog.Tasks(v.Context(), v.Session.Scope, catalog.TaskFilter{CampaignID: id}, page)
		for _, t := range tasks.Items {
			view.Tasks[t.ID] = t
		}
	}
}

// Named is what a row of the table is called, and what stands below it.
func (view *campaignView) Named(key string) [2]string {
	if key == "" {
		return [2]string{map[string]string{"country": "Unknown", "referrer": "None"}[view.By.Name], ""}
	}
	switch view.By.Name {
	case "creator":
		return [2]string{view.Directory.Creator(key), ""}
	case "task":
		t := view.Tasks[key]
		if t.Title == "" {
			return [2]string{human(t.Platform) + " task", view.Directory.Creator(t.CreatorID)}
		}
		return [2]string{t.Title, view.Directory.Creator(t.CreatorID) + ", " + human(t.Platform)}
	case "link":
		l, known := view.Links[key]
		if !known {
			return [2]string{short(key), "deleted"}
		}
		return [2]string{orElse(l.Label, l.Slug), view.Directory.Creator(l.CreatorID) + ", " + human(l.Platform)}
	case "platform", "device":
		return [2]string{human(key), ""}
	}
	return [2]string{key, ""}
}

// isCountry tells codes of countries, which the browser has the names of.
func isCountry(key string) bool {
	return len(key) == 2 && key[0] >= 'A' && key[0] <= 'Z' && key[1] >= 'A' && key[1] <= 'Z'
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// barsOf are a breakdown's unique clicks as bars, the longest that of the most.
func (v *visit) barsOf(answer figures, err error) block[[]bar] {
	var bars []bar
	var most, all uint64
	for _, row := range answer.Rows {
		most, all = max(most, row.Count("unique_clicks")), all+row.Count("unique_clicks")
	}
	slices.SortStableFunc(answer.Rows, func(a, b figureRow) int { return int(b.Count("unique_clicks")) - int(a.Count("unique_clicks")) })
	for _, row := range answer.Rows {
		n := row.Count("unique_clicks")
		if n == 0 {
			continue
		}
		b := bar{Label: "Unknown", Text: count(n), Note: wholePercent(n, all), Width: share(n, most)}
		switch {
		case isCountry(row.Key):
			b.Country = row.Key
		case row.Key != "":
			b.Label = human(row.Key)
		}
		bars = append(bars, b)
	}
	return try(v, "breakdown", bars, err)
}

func wholePercent(part, whole uint64) string {
	if whole == 0 {
		return ""
	}
	return strconv.FormatUint((part*200+whole)/(2*whole), 10) + "%"
}
