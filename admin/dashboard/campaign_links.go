package dashboard

import (
	"tributary/admin/reports"
	"tributary/catalog"
)

// A campaignLinksView is a campaign's links and codes.
type campaignLinksView struct {
	campaignHead
	Tasks     []catalog.Task // new ones can be made for
	Links     []campaignLink
	Codes     []campaignCode
	Next      string
	Directory *directory
	Failed    string // why there are no figures
}

type campaignLink struct {
	catalog.Link
	Figures figureRow
}

type campaignCode struct {
	catalog.Code
	Figures figureRow
}

func showCampaignLinks(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := &campaignLinksView{campaignHead: head, Directory: v.directory()}
	scope, id := v.Session.Scope, head.Campaign.ID
	tasks, err := v.Catalog.Tasks(v.Context(), scope, catalog.TaskFilter{CampaignID: id}, catalog.Page{Limit: catalog.MaxLimit})
	if err != nil {
		return nil, err
	}
	for _, t := range tasks.Items {
		if t.Status != catalog.TaskRejected && t.Status != catalog.TaskCancelled {
			view.Tasks = append(view.Tasks, t)
		}
	}
	links, err := v.Catalog.Links(v.Context(), scope, catalog.LinkFilter{CampaignID: id}, v.listPage())
	if err != nil {
		return nil, err
	}
	view.Next = links.NextCursor
	codes, err := v.Catalog.Codes(v.Context(), scope, catalog.CodeFilter{CampaignID: id}, catalog.Page{Limit: listLength})
	if err != nil {
		return nil, err
	}
	byLink, byCode := view.figures(v, "link", "hits"), view.figures(v, "code", "payout")
	none := figureRow{Currency: head.Campaign.Currency}
	for _, l := range links.Items {
		row := campaignLink{l, none}
		if found, has := byLink[l.ID]; has {
			row.Figures = found
		}
		view.Links = append(view.Links, row)
	}
	for _, c := range codes.Items {
		row := campaignCode{c, none}
		if found, has := byCode[c.CodeFields.Code]; has {
			row.Figures = found
		}
		view.Codes = append(view.Codes, row)
	}
	return view, nil
}

// figures are the campaign's of the period, by link or code.
func (view *campaignLinksView) figures(v *visit, by, column string) map[string]figureRow {
	answer, err := v.ask(v.Period, reports.Question{GroupBy: []string{by}, Filters: map[string][]string{"campaign_id": {view.Campaign.ID}, "currency": {view.Campaign.Currency}}, Columns: []string{column, "unique_clicks", "actions", "sale_amount"}})
	if err != nil {
		view.Failed = try(v, "figures by "+by, answer, err).Failed
	}
	rows := map[string]figureRow{}
	for _, row := range answer.Rows {
		rows[row.Key] = row
	}
	return rows
}

// Task is the title of a task, or its platform.
func (view *campaignLinksView) Task(id string) string {
	for _, t := range view.Tasks {
		if t.ID == id {
			return orElse(t.Title, human(t.Platform))
		}
	}
	return short(id)
}
