package dashboard

import (
	"slices"
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
	Failed   string            // why there are no figures
	Others   []catalog.Creator // who may be invited
	Joined   []participant     // who may be given a task
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
	return view, view.findOthers(v)
}

// findOthers reads who is in the campaign on any page of the list, and who could be.
func (view *campaignCreatorsView) findOthers(v *visit) error {
	scope, most := v.Session.Scope, catalog.Page{Limit: catalog.MaxLimit}
	parts, err := v.Catalog.Participations(v.Context(), scope, view.Campaign.ID, catalog.ParticipationFilter{}, most)
	if err != nil {
		return err
	}
	creators, err := v.Catalog.Creators(v.Context(), scope, catalog.CreatorFilter{}, most)
	if err != nil {
		return err
	}
	for _, c := range creators.Items {
		i := slices.IndexFunc(parts.Items, func(p catalog.Participation) bool { return p.CreatorID == c.ID })
		switch {
		case i < 0:
			view.Others = append(view.Others, c)
		case parts.Items[i].Status == catalog.Joined:
			view.Joined = append(view.Joined, participant{Participation: parts.Items[i], Name: c.Name})
		}
	}
	return nil
}

// Accounts names where a creator posts.
func (campaignCreatorsView) Accounts(c catalog.Creator) string { return accounts(c) }

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
