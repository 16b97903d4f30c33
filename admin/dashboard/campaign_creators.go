package dashboard

import (
	"strings"

	"tributary/admin/reports"
	"tributary/catalog"
)

// A campaignCreatorsView is who takes part in a campaign, and what they do.
type campaignCreatorsView struct {
	campaignHead
	Status   string
	Statuses []string
	Rows     []participant
	Next     string
	Failed   string // why there are no figures
}

// A participant is a creator in a campaign.
type participant struct {
	catalog.Participation
	Name     string
	Accounts string
	Tasks    []catalog.Task
	Figures  figureRow
	Payable  bool // some task is approved and has a fee
}

var participationStatuses = []string{catalog.Applied, catalog.Joined, catalog.Invited, catalog.Rejected, catalog.Unavailable}

func showCampaignCreators(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := &campaignCreatorsView{campaignHead: head, Status: v.Query("status"), Statuses: participationStatuses}
	scope, id := v.Session.Scope, head.Campaign.ID
	parts, err := v.Catalog.Participations(v.Context(), scope, id, catalog.ParticipationFilter{Status: view.Status}, v.listPage())
	if err != nil {
		return nil, err
	}
	view.Next = parts.NextCursor
	tasks, err := v.Catalog.Tasks(v.Context(), scope, catalog.TaskFilter{CampaignID: id}, catalog.Page{Limit: catalog.MaxLimit})
	if err != nil {
		return nil, err
	}
	answer, err := v.ask(v.Period, reports.Question{GroupBy: []string{"creator"}, Filters: map[string][]string{"campaign_id": {id}, "currency": {head.Campaign.Currency}}, Columns: []string{"hits", "actions", "unique_clicks", "sale_amount", "payout"}})
	sums := try(v, "figures by creator", answer, err)
	view.Failed = sums.Failed
	for _, p := range parts.Items {
		row := participant{Participation: p, Name: short(p.CreatorID), Figures: figureRow{Currency: head.Campaign.Currency}}
		if creator, err := v.Catalog.Creator(v.Context(), scope, p.CreatorID); err == nil {
			row.Name, row.Accounts = creator.Name, accounts(creator)
		}
		for _, t := range tasks.Items {
			if t.CreatorID == p.CreatorID {
				row.Tasks = append(row.Tasks, t)
				row.Payable = row.Payable || t.Status == catalog.TaskApproved && t.Fee != ""
			}
		}
		for _, sum := range sums.Value.Rows {
			if sum.Key == p.CreatorID {
				row.Figures = sum
			}
		}
		view.Rows = append(view.Rows, row)
	}
	return view, nil
}

// accounts names where a creator posts, the first few.
func accounts(c catalog.Creator) string {
	var names []string
	for _, s := range c.Socials {
		if len(names) < 2 {
			names = append(names, human(s.Platform)+" @"+strings.TrimPrefix(s.Handle, "@"))
		}
	}
	return strings.Join(names, ", ")
}
