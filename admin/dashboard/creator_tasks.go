package dashboard

import (
	"tributary/admin/reports"
	"tributary/catalog"
)

// A tasksView is a creator's tasks.
type tasksView struct {
	Tasks  []catalog.Task
	States []string
	Next   string
	Names  *names
}

var taskStates = []string{catalog.TaskOpen, catalog.TaskSubmitted, catalog.TaskApproved, catalog.TaskRejected, catalog.TaskCancelled}

func showTasks(v *visit) (any, error) {
	list, err := v.Catalog.Tasks(v.Context(), v.Session.Scope, catalog.TaskFilter{Status: v.Query("status"), CampaignID: v.Query("campaign_id")}, v.listPage())
	if err != nil {
		return nil, err
	}
	return tasksView{Tasks: list.Items, States: taskStates, Next: list.NextCursor, Names: v.names()}, nil
}

// A taskView is one task: what is asked, what was handed in, and its links.
type taskView struct {
	Task     catalog.Task
	Campaign catalog.Campaign
	Brand    string
	Links    []ownLink
	Codes    []catalog.Code
	Drafts   []catalog.Draft
	Posts    []catalog.Post
	Failed   string // why clicks and earnings are missing

	TakesLinks bool
	NeedsDraft bool   // a draft is to be handed in next
	TakesPost  bool   // the address of a post is to be handed in next
	NextStep   string // what the creator does next, in words
	MaySubmit  bool
}

// A ownLink is a link with its figures.
type ownLink struct {
	catalog.Link
	Clicks, Unique, Actions any
	Earned                  string // with the currency; a dash where nothing is known
}

func showTask(v *visit) (any, error) {
	task, err := v.Catalog.Task(v.Context(), v.Session.Scope, v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	names := v.names()
	view := taskView{Task: task, Campaign: names.campaign(task.CampaignID), Brand: names.Brand(task.AdvertiserID)}
	v.Title, v.Subtitle = names.Task(task.ID), names.Campaign(task.CampaignID)+" · "+view.Brand
	if v.Title == human(task.Platform) {
		v.Title += " task"
	}
	links, err := v.Catalog.Links(v.Context(), v.Session.Scope, catalog.LinkFilter{TaskID: task.ID}, catalog.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	view.Links, view.Failed = v.withFigures(links.Items, map[string][]string{"task_id": {task.ID}})
	codes, err := v.Catalog.Codes(v.Context(), v.Session.Scope, catalog.CodeFilter{TaskID: task.ID}, catalog.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	view.Codes = codes.Items
	drafts, err := v.Catalog.Drafts(v.Context(), v.Session.Scope, catalog.DraftFilter{TaskID: task.ID}, catalog.Page{Limit: 50})
	if err != nil {
		return nil, err
	}
	view.Drafts = drafts.Items
	posts, err := v.Catalog.Posts(v.Context(), v.Session.Scope, catalog.PostFilter{TaskID: task.ID}, catalog.Page{Limit: 50})
	if err != nil {
		return nil, err
	}
	view.Posts = posts.Items
	view.decide()
	return view, nil
}

// withFigures puts clicks and earnings beside links, over the period.
func (v *visit) withFigures(links []catalog.Link, filters map[string][]string) (rows []ownLink, failed string) {
	answer, err := v.ask(v.Period, reports.Question{GroupBy: []string{"link"}, Filters: filters, Limit: 5_000})
	figures := try(v, "links' figures", answer, err)
	for _, link := range links {
		row := ownLink{Link: link, Earned: "–"}
		for _, f := range figures.Value.Rows {
			if f.Key == link.ID {
				row.Clicks, row.Unique, row.Actions = f.Get("clicks"), f.Get("unique_clicks"), f.Get("actions")
				row.Earned = money(f.Get("payout"), f.Currency)
			}
		}
		if figures.Failed == "" && row.Clicks == nil {
			row.Clicks, row.Unique, row.Actions = uint64(0), uint64(0), uint64(0)
		}
		rows = append(rows, row)
	}
	return rows, figures.Failed
}

// decide says what comes next in a task.
func (t *taskView) decide() {
	joined := t.Campaign.Participation == catalog.Joined
	works := joined && (t.Task.Status == catalog.TaskOpen || t.Task.Status == catalog.TaskSubmitted)
	t.TakesLinks = joined && t.Campaign.Tracking != nil && *t.Campaign.Tracking
	t.MaySubmit = works && t.Task.Status == catalog.TaskOpen
	if !works || t.Campaign.TrackPosts == nil || !*t.Campaign.TrackPosts {
		if works && t.Task.Status == catalog.TaskSubmitted {
			t.NextStep = "You have handed this in. The advertiser looks at it next."
		}
		return
	}
	approved, waiting := false, false
	for _, d := range t.Drafts {
		approved = approved || d.Status == catalog.DraftApproved && d.PostID == ""
		waiting = waiting || d.Status == catalog.DraftWaiting
	}
	switch {
	case len(t.Posts) > 0 && !t.Campaign.MultiPost:
		t.NextStep = "Your post is recorded. Its likes and views are counted from here on."
	case t.Campaign.RequireDraft && waiting:
		t.NextStep = "Your draft waits for the advertiser. You will be told."
	case t.Campaign.RequireDraft && !approved:
		t.NeedsDraft, t.NextStep = true, "Show a draft first. Post once it is approved."
	default:
		t.TakesPost, t.NextStep = true, "Post it, and then say where it is."
	}
}
