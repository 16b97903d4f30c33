package dashboard

import "tributary/catalog"

// A linksView is a creator's links and codes with what they brought.
type linksView struct {
	Links  []ownLink
	Codes  []ownCode
	Tasks  []catalog.Task // that take links
	Next   string
	Failed string
	Names  *names
}

// A ownCode is a code with its figures.
type ownCode struct {
	Of      catalog.Code
	Actions any
	Earned  string
}

func showLinks(v *visit) (any, error) {
	view := linksView{Names: v.names()}
	links, err := v.Catalog.Links(v.Context(), v.Session.Scope, catalog.LinkFilter{Label: v.Query("label")}, v.listPage())
	if err != nil {
		return nil, err
	}
	view.Next = links.NextCursor
	view.Links, view.Failed = v.withFigures(links.Items, nil)
	codes, err := v.Catalog.Codes(v.Context(), v.Session.Scope, catalog.CodeFilter{}, catalog.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	view.Codes = v.codesWithFigures(codes.Items)
	tasks, err := v.Catalog.Tasks(v.Context(), v.Session.Scope, catalog.TaskFilter{}, catalog.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	for _, t := range tasks.Items {
		campaign := view.Names.campaign(t.CampaignID)
		if t.Status != catalog.TaskRejected && t.Status != catalog.TaskCancelled && campaign.Participation == catalog.Joined &&
			campaign.Tracking != nil && *campaign.Tracking {
			view.Tasks = append(view.Tasks, t)
		}
	}
	return view, nil
}
