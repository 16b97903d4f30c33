package dashboard

import (
	"tributary/admin/notify"
	"tributary/attribution"
	"tributary/catalog"
)

// A notificationsView is what somebody was told.
type notificationsView struct {
	notify.List
	role string
}

func showNotifications(v *visit) (any, error) {
	view := notificationsView{role: v.Session.Scope.Role}
	if v.Notices == nil {
		return view, nil
	}
	var err error
	view.List, err = v.Notices.List(v.Context(), v.Session.Scope, v.listPage())
	return view, err
}

// Where is the page about what a notification tells of; empty where there is none.
func (n notificationsView) Where(of notify.Notification) string {
	if n.role != catalog.RoleCreator {
		if id := of.Subject["campaign_id"]; id != "" {
			return "/campaigns/" + id
		}
		return ""
	}
	for _, page := range []struct{ subject, path string }{{"action_id", "/creator/actions/"}, {"campaign_id", "/creator/campaigns/"}} {
		if id := of.Subject[page.subject]; id != "" {
			return page.path + id
		}
	}
	if of.Subject["payout_id"] != "" {
		return "/creator/statement"
	}
	return ""
}

// unread is how many notifications are not read yet, for the navigation; empty for
// none.
func unread(v *visit) string {
	if v.Notices == nil {
		return ""
	}
	list, err := v.Notices.List(v.Context(), v.Session.Scope, catalog.Page{Limit: 1})
	switch { // a count that cannot be read is not worth a page
	case err != nil || list.Unread == 0:
		return ""
	case list.Unread >= 100:
		return "99+"
	}
	return count(list.Unread)
}

// A profileView is what a creator says of itself.
type profileView struct {
	Socials   []catalog.Social // with an empty one at the end
	Platforms []string
	Details   []detail
}

// A detail is one thing about how a creator is paid.
type detail struct{ Name, Value string }

func showProfile(v *visit) (any, error) {
	view := profileView{Socials: append(append([]catalog.Social{}, v.Creator.Socials...), catalog.Social{}), Platforms: attribution.Platforms()}
	for _, name := range []string{"method", "account", "holder"} {
		value, _ := v.Creator.PayoutDetails[name].(string)
		view.Details = append(view.Details, detail{name, value})
	}
	return view, nil
}
