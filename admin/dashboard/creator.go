package dashboard

import (
	"time"

	"tributary/catalog"
)

// creatorPages are what a creator sees.
func creatorPages() []*page {
	return []*page{
		{Area: areaCreator, Path: "/creator", Template: "creator_home", Title: "Home", Nav: "Home", Icon: "overview", Charts: true, Show: showCreatorHome},
		{Area: areaCreator, Path: "/creator/campaigns", Template: "creator_campaigns", Title: "Campaigns", Nav: "Campaigns", Icon: "campaign", Show: showOffers},
		{Area: areaCreator, Path: "/creator/campaigns/{id}", Template: "creator_campaign", Title: "Campaign", Parent: "/creator/campaigns", Scripts: []string{"creator.js"}, Show: showOffer},
		{Area: areaCreator, Path: "/creator/tasks", Template: "creator_tasks", Title: "Tasks", Nav: "Tasks", Icon: "task", Show: showTasks},
		{Area: areaCreator, Path: "/creator/tasks/{id}", Template: "creator_task", Title: "Task", Parent: "/creator/tasks", Scripts: []string{"creator.js"}, Show: showTask},
		{Area: areaCreator, Path: "/creator/links", Template: "creator_links", Title: "Links and codes", Nav: "Links and codes", Icon: "link", Scripts: []string{"creator.js"}, NoCompare: true, Show: showLinks},
		{Area: areaCreator, Path: "/creator/actions", Template: "creator_actions", Title: "Earnings", Nav: "Earnings", Icon: "actions", NoCompare: true, Show: showEarnings},
		{Area: areaCreator, Path: "/creator/actions/{id}", Template: "creator_action", Title: "Earning", Parent: "/creator/actions", Show: showEarning},
		{Area: areaCreator, Path: "/creator/statement", Template: "creator_statement", Title: "Statement", Nav: "Statement", Icon: "pay", NoCompare: true, Show: showStatement},
		{Area: areaCreator, Path: "/creator/inquiries", Template: "creator_inquiries", Title: "Missing sales", Nav: "Missing sales", Icon: "question", Show: showInquiries},
		{Area: areaCreator, Path: "/creator/notifications", Template: "notifications", Title: "Notifications", Nav: "Notifications", Icon: "bell", Badge: unread, Show: showNotifications},
		{Area: areaCreator, Path: "/creator/profile", Template: "creator_profile", Title: "Profile", Nav: "Profile", Icon: "people", Show: showProfile},
	}
}

// findCreator is who looks at a creator's page. Days are those of its time zone.
func (v *visit) findCreator() (err error) {
	if v.Creator, err = v.Catalog.Creator(v.Context(), v.Session.Scope, v.Session.Scope.CreatorID); err != nil {
		return err
	}
	if zone, err := time.LoadLocation(v.Creator.Timezone); err == nil && v.Creator.Timezone != "" {
		v.Zone = zone
	}
	return nil
}

// names finds what things are called, each asked for once. A thing that the
// creator sees no more is called by the end of its id.
type names struct {
	v         *visit
	campaigns map[string]catalog.Campaign
	brands    map[string]string
	tasks     map[string]catalog.Task
}

func (v *visit) names() *names {
	return &names{v: v, campaigns: map[string]catalog.Campaign{}, brands: map[string]string{}, tasks: map[string]catalog.Task{}}
}

// Campaign is a campaign's title.
func (n *names) Campaign(id string) string {
	campaign := n.campaign(id)
	if campaign.Title == "" {
		return short(id)
	}
	return campaign.Title
}

func (n *names) campaign(id string) catalog.Campaign {
	found, asked := n.campaigns[id]
	if !asked {
		found, _ = n.v.Catalog.Campaign(n.v.Context(), n.v.Session.Scope, id) // what is not seen has no title
		n.campaigns[id] = found
	}
	return found
}

// Brand is an advertiser's name, of which creators are told nothing else.
func (n *names) Brand(id string) string {
	name, asked := n.brands[id]
	if !asked {
		name = short(id)
		if found, err := n.v.Catalog.Advertiser(n.v.Context(), catalog.Scope{Role: catalog.RoleAdmin}, id); err == nil {
			name = found.Name
		}
		n.brands[id] = name
	}
	return name
}

// Task is what a task is called: its title, else its platform.
func (n *names) Task(id string) string {
	task := n.task(id)
	switch {
	case task.ID == "":
		return short(id)
	case task.Title != "":
		return task.Title
	}
	return human(task.Platform)
}

func (n *names) task(id string) catalog.Task {
	found, asked := n.tasks[id]
	if !asked {
		found, _ = n.v.Catalog.Task(n.v.Context(), n.v.Session.Scope, id)
		n.tasks[id] = found
	}
	return found
}

// Currency is a campaign's; empty where it is not seen.
func (n *names) Currency(id string) string { return n.campaign(id).Currency }

// listLength is how many items of a list one page shows.
const listLength = 50

// listPage is the part of a list that the address asks for.
func (v *visit) listPage() catalog.Page {
	return catalog.Page{Cursor: v.Query("cursor"), Limit: listLength}
}
