package dashboard

import (
	"slices"
	"sync"

	"tributary/admin/reports"
	"tributary/catalog"
)

// A campaignRow is a campaign in a list.
type campaignRow struct {
	catalog.Campaign
	Figures figureRow
	Spark   []float64 // unique clicks, step by step
}

// A campaignsView is the list of campaigns.
type campaignsView struct {
	Status   string
	Statuses []string
	Rows     []campaignRow
}

var campaignStatuses = []string{"ongoing", "over_budget", "upcoming", "draft", "paused", "finished", "closed"}

func showCampaigns(v *visit) (any, error) {
	view := campaignsView{Status: v.Query("status"), Statuses: campaignStatuses}
	if !slices.Contains(campaignStatuses, view.Status) {
		view.Status = ""
	}
	campaigns, err := v.campaignsOf(view.Status)
	if err != nil {
		return nil, err
	}
	view.Rows = v.campaignRows(campaigns)
	return view, nil
}

// maxSparkRows bounds what sparklines are drawn from: a year of days of all campaigns.
const maxSparkRows = maxCampaigns * 366

// campaignRows puts campaigns beside their figures of the period. Where figures
// cannot be read the rows stand without them.
func (v *visit) campaignRows(campaigns []catalog.Campaign) []campaignRow {
	rows := make([]campaignRow, len(campaigns))
	for i, c := range campaigns {
		rows[i] = campaignRow{Campaign: c, Figures: figureRow{Currency: c.Currency}}
	}
	find := func(id string) *campaignRow {
		if i := slices.IndexFunc(rows, func(r campaignRow) bool { return r.ID == id }); i >= 0 {
			return &rows[i]
		}
		return nil
	}
	var steps figures
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		steps, failed = v.ask(v.Period, reports.Question{GroupBy: []string{"campaign", v.Period.Grouping()}, Columns: []string{"unique_clicks"}, Limit: maxSparkRows})
	})
	sums, err := v.ask(v.Period, reports.Question{GroupBy: []string{"campaign"}, Columns: []string{"hits", "unique_clicks", "actions", "sale_amount", "cost", "roas"}})
	wg.Wait()
	if err != nil {
		v.Log.Warn("campaigns are listed without figures", "error", err)
		return rows
	}
	for _, sum := range sums.Rows {
		if row := find(sum.Key); row != nil && row.Currency == sum.Currency {
			row.Figures = sum
		}
	}
	if failed != nil {
		v.Log.Warn("campaigns are listed without lines", "error", failed)
		return rows
	}
	names := v.Period.steps()
	for _, step := range steps.Rows {
		row := find(step.Keys[0])
		at := slices.Index(names, step.Keys[1])
		if row == nil || at < 0 {
			continue
		}
		if row.Spark == nil {
			row.Spark = make([]float64, len(names))
		}
		row.Spark[at] += float64(step.Count("unique_clicks"))
	}
	return rows
}
