package dashboard

import (
	"context"
	"time"

	"tributary/catalog"
	"tributary/ledger"
)

// operatorPages are what the operator sees.
func operatorPages() []*page {
	return []*page{
		{Area: areaOperator, Path: "/operator", Template: "operator_health", Title: "Health", Nav: "Health", Icon: "pulse", Scripts: []string{"operator.js"}, Show: showHealth},
		{Area: areaOperator, Path: "/operator/live", Template: "operator_live", Title: "Live", Nav: "Live", Icon: "overview", Scripts: []string{"live.js"}, Show: showLive},
		{Area: areaOperator, Path: "/operator/quarantine", Template: "operator_quarantine", Title: "Quarantine", Nav: "Quarantine", Icon: "box", Scripts: []string{"operator.js"}, Show: showQuarantine},
		{Area: areaOperator, Path: "/operator/notifications", Template: "notifications", Title: "Notifications", Nav: "Notifications", Icon: "bell", Badge: unread, Show: showNotifications},
		{Area: areaOperator, Path: "/operator/advertisers", Template: "operator_advertisers", Title: "Advertisers", Nav: "Advertisers", Icon: "brand", Show: showAdvertisers},
		{Area: areaOperator, Path: "/operator/creators", Template: "operator_creators", Title: "Creators", Nav: "Creators", Icon: "people", Show: showCreators},
		{Area: areaOperator, Path: "/operator/keys", Template: "operator_keys", Title: "Keys", Nav: "Keys", Icon: "key", Scripts: []string{"operator.js"}, Show: showKeys},
		{Area: areaOperator, Path: "/operator/webhooks", Template: "webhooks", Title: "Webhooks", Nav: "Webhooks", Icon: "hook", Scripts: []string{"secrets.js"}, Show: showWebhooks},
		{Area: areaOperator, Path: "/operator/webhooks/{id}", Template: "webhook", Title: "Webhook", Parent: "/operator/webhooks", Scripts: []string{"secrets.js", "webhooks.js"}, Show: showWebhook},
		{Area: areaOperator, Path: "/operator/audit", Template: "operator_audit", Title: "Audit log", Nav: "Audit log", Icon: "log", Show: showAudit},
	}
}

// vitalsTimeout is how long a page waits for stores to say how they do.
const vitalsTimeout = 4 * time.Second

// A healthView is how the process does, in sentences and in figures.
type healthView struct {
	Known  bool
	Vitals Vitals
	Checks []check
	Worst  string // ok, warning or failed
}

func showHealth(v *visit) (any, error) {
	if v.Watch == nil {
		return healthView{Worst: "warning"}, nil
	}
	ctx, cancel := context.WithTimeout(v.Context(), vitalsTimeout)
	defer cancel()
	view := healthView{Known: true, Vitals: v.Watch.Vitals(ctx)}
	waiting, err := v.Ledger.Quarantine(v.Context(), v.ledgerScope(), ledger.QuarantineFilter{Replayed: new(false)}, ledger.Page{Limit: 1})
	view.Checks = checksOf(view.Vitals, err == nil && len(waiting.Items) > 0, time.Now())
	view.Worst = worstOf(view.Checks)
	return view, nil
}

// A quarantineView is what could not be taken, and why.
type quarantineView struct {
	Items  []ledger.Quarantined
	Clicks map[string]uint64 // quarantined clicks, by reason
	Next   string
	Done   bool // those that were replayed
	Names  *names
}

func showQuarantine(v *visit) (any, error) {
	view := quarantineView{Names: v.names(), Done: v.Query("replayed") == "true"}
	list, err := v.Ledger.Quarantine(v.Context(), v.ledgerScope(), ledger.QuarantineFilter{
		Code: v.Query("code"), Kind: v.Query("kind"), OrderID: v.Query("order_id"), AdvertiserID: v.Query("advertiser_id"), Replayed: new(view.Done),
	}, ledger.Page{Cursor: v.Query("cursor"), Limit: listLength})
	if err != nil {
		return nil, err
	}
	view.Items, view.Next = list.Items, list.NextCursor
	if v.Watch != nil {
		ctx, cancel := context.WithTimeout(v.Context(), vitalsTimeout)
		defer cancel()
		view.Clicks = v.Watch.Vitals(ctx).Quarantined
	}
	return view, nil
}

// A keysView is every key, without its secret.
type keysView struct {
	Keys        []catalog.Key
	Next        string
	Advertisers []catalog.Advertiser
	Creators    []catalog.Creator
	Own         string // the key of this session
	owners      map[string]string
}

// Owner is whose a key is.
func (k keysView) Owner(key catalog.Key) string {
	id := key.AdvertiserID + key.CreatorID
	switch name, known := k.owners[id]; {
	case id == "":
		return "–"
	case known:
		return name
	}
	return short(id)
}

func showKeys(v *visit) (any, error) {
	view := keysView{Own: v.Session.Scope.KeyID, owners: map[string]string{}}
	list, err := v.Catalog.Keys(v.Context(), v.Session.Scope, catalog.KeyFilter{Role: v.Query("role")}, v.listPage())
	if err != nil {
		return nil, err
	}
	view.Keys, view.Next = list.Items, list.NextCursor
	advertisers, err := v.Catalog.Advertisers(v.Context(), v.Session.Scope, catalog.AdvertiserFilter{}, catalog.Page{Limit: maxChoices})
	if err != nil {
		return nil, err
	}
	creators, err := v.Catalog.Creators(v.Context(), v.Session.Scope, catalog.CreatorFilter{}, catalog.Page{Limit: maxChoices})
	if err != nil {
		return nil, err
	}
	view.Advertisers, view.Creators = advertisers.Items, creators.Items
	for _, a := range view.Advertisers {
		view.owners[a.ID] = a.Name
	}
	for _, c := range view.Creators {
		view.owners[c.ID] = c.Name
	}
	return view, nil
}

// An advertisersView is a list of advertisers.
type advertisersView struct {
	Advertisers []catalog.Advertiser
	Next        string
}

func showAdvertisers(v *visit) (any, error) {
	list, err := v.Catalog.Advertisers(v.Context(), v.Session.Scope, catalog.AdvertiserFilter{Q: v.Query("q")}, v.listPage())
	return advertisersView{list.Items, list.NextCursor}, err
}

// A creatorsView is a list of creators.
type creatorsView struct {
	Creators []catalog.Creator
	Next     string
}

func showCreators(v *visit) (any, error) {
	list, err := v.Catalog.Creators(v.Context(), v.Session.Scope, catalog.CreatorFilter{Q: v.Query("q")}, v.listPage())
	return creatorsView{list.Items, list.NextCursor}, err
}

// An auditView is who wrote what.
type auditView struct {
	Entries []catalog.AuditEntry
	Things  []string
	Next    string
	keys    map[string]string
}

// auditedThings are the kinds of things that can be written.
var auditedThings = []string{"advertiser", "campaign", "code", "creator", "draft", "key", "link", "participation", "post", "secret", "task", "terms-template"}

// Who is who wrote: a key's name, or its id where it has none.
func (a auditView) Who(e catalog.AuditEntry) string {
	switch name := a.keys[e.KeyID]; {
	case e.KeyID == "":
		return "The machine's operator"
	case name != "":
		return name
	}
	return short(e.KeyID)
}

func showAudit(v *visit) (any, error) {
	list, err := v.Catalog.AuditLog(v.Context(), v.Session.Scope, catalog.AuditFilter{
		Thing: v.Query("thing"), ThingID: v.Query("thing_id"), KeyID: v.Query("key_id"), Verb: v.Query("verb"),
	}, v.listPage())
	if err != nil {
		return nil, err
	}
	view := auditView{Entries: list.Items, Things: auditedThings, Next: list.NextCursor, keys: map[string]string{}}
	for _, e := range list.Items {
		if _, asked := view.keys[e.KeyID]; asked || e.KeyID == "" {
			continue
		}
		key, err := v.Catalog.Key(v.Context(), v.Session.Scope, e.KeyID)
		if err == nil {
			view.keys[e.KeyID] = key.Name
		} else {
			view.keys[e.KeyID] = ""
		}
	}
	return view, nil
}

// A liveView is the filter of the live page.
type liveView struct {
	Address     string // of the stream
	Advertisers []catalog.Advertiser
}

func showLive(v *visit) (any, error) {
	list, err := v.Catalog.Advertisers(v.Context(), v.Session.Scope, catalog.AdvertiserFilter{}, catalog.Page{Limit: maxChoices})
	if err != nil {
		return nil, err
	}
	return liveView{Address: liveAddress(v.Query("advertiser_id"), v.Query("verdict")), Advertisers: list.Items}, nil
}
