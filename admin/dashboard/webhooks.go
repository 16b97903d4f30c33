package dashboard

import (
	"slices"
	"strings"

	"tributary/admin/events"
	"tributary/admin/webhooks"
	"tributary/catalog"
)

// A webhooksView lists who else is told of what happens.
type webhooksView struct {
	catalog.List[webhooks.Webhook]
	Base      string // the address of this list
	Owner     string // whose a new one is; empty: the operator's
	Directory *names
}

// hooksOf is where webhooks are shown: to the operator all, on an advertiser's pages its own.
func hooksOf(v *visit) (base, advertiserID string) {
	if v.Page.Area == areaOperator {
		return "/operator/webhooks", ""
	}
	return "/webhooks", v.Advertiser.ID
}

func showWebhooks(v *visit) (any, error) {
	view := webhooksView{Directory: v.names()}
	view.Base, view.Owner = hooksOf(v)
	if v.Hooks == nil {
		return view, nil
	}
	var err error
	view.List, err = v.Hooks.Webhooks(v.Context(), v.Session.Scope, view.Owner, v.listPage())
	return view, err
}

// Groups are what a form offers to be told of.
func (webhooksView) Groups() []string { return eventGroups() }

func eventGroups() (groups []string) {
	for _, name := range events.Types() {
		group, _, _ := strings.Cut(name, ".")
		if group += ".*"; !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}

// hookState says how a webhook does: off, stopped, failing or working.
func hookState(w webhooks.Webhook) string {
	switch {
	case w.DisabledAt != nil:
		return "stopped"
	case w.Enabled != nil && !*w.Enabled:
		return "off"
	case w.Failures > 0:
		return "failing"
	case w.LastSuccessAt == nil:
		return "new"
	}
	return "working"
}

// toldOf names groups of events for people.
func toldOf(names []string) string {
	if len(names) == 0 || slices.Contains(names, "*") {
		return "Everything"
	}
	said := make([]string, len(names))
	for i, name := range names {
		said[i] = groupName(name)
	}
	return strings.Join(said, ", ")
}

// groupName is what a group of events is called; a single type stays as it is.
func groupName(name string) string {
	if group, all := strings.CutSuffix(name, ".*"); all {
		return human(group) + "s"
	}
	return name
}

// A webhookView is one webhook and what it was sent.
type webhookView struct {
	webhooks.Webhook
	Base       string
	State      string // of the deliveries that are listed
	States     []string
	Deliveries catalog.List[webhooks.Delivery]
}

var deliveryStates = []string{"waiting", "delivered", "failed"}

func showWebhook(v *visit) (any, error) {
	view := webhookView{States: deliveryStates}
	view.Base, _ = hooksOf(v)
	if v.Hooks == nil {
		return view, nil
	}
	scope, id := v.Session.Scope, v.r.PathValue("id")
	var err error
	if view.Webhook, err = v.Hooks.Webhook(v.Context(), scope, id); err != nil {
		return nil, err
	}
	if v.Page.Area == areaAdvertiser && view.AdvertiserID != "" && view.AdvertiserID != v.Advertiser.ID {
		if err := v.lookAt(view.AdvertiserID); err != nil {
			return nil, err
		}
	}
	if state := v.Query("state"); slices.Contains(deliveryStates, state) {
		view.State = state
	}
	view.Deliveries, err = v.Hooks.Deliveries(v.Context(), scope, id, view.State, v.listPage())
	return view, err
}

// Groups are what the webhook may be told of, and the single types it is told of.
func (view webhookView) Groups() []string {
	groups := eventGroups()
	for _, name := range view.Events {
		if name != "*" && !slices.Contains(groups, name) {
			groups = append(groups, name)
		}
	}
	return groups
}

// Hears says whether it was asked to be told of a group.
func (view webhookView) Hears(group string) bool { return slices.Contains(view.Events, group) }
