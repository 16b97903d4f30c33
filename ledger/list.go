package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// An ActionFilter narrows a list of actions: every field that is given. Lists are
// newest first; of an order or a task, or with UpdatedSince for those who keep a
// copy, oldest first.
type ActionFilter struct {
	OrderID      string
	ConversionID string
	AdvertiserID string
	CampaignID   string
	CreatorID    string
	TaskID       string
	LinkID       string
	PostID       string
	Code         string // in any case
	Platform     string
	Event        string
	ClickID      string
	Referral     string
	Model        string
	Currency     string
	State        string
	Reason       string // one of the action's
	Reversal     string
	Corrects     string
	PayoutID     string
	TermsVersion int64
	EventFrom    attribution.Instant // of event_time: [from, to)
	EventTo      attribution.Instant
	LockBefore   attribution.Instant
	PayBefore    attribution.Instant
	UpdatedSince attribution.Instant
}

func (f *ActionFilter) given() database.Given {
	given := database.Given{
		"order_id": f.OrderID, "conversion_id": f.ConversionID, "advertiser_id": f.AdvertiserID, "campaign_id": f.CampaignID, "creator_id": f.CreatorID,
		"task_id": f.TaskID, "link_id": f.LinkID, "post_id": f.PostID, "code": strings.ToLower(f.Code), "platform": f.Platform, "event": f.Event,
		"click_id": f.ClickID, "referral": f.Referral, "model": f.Model, "currency": f.Currency, "state": f.State, "reversal": f.Reversal,
		"corrects": f.Corrects, "payout_id": f.PayoutID,
	}
	if f.Reason != "" {
		given["reason"] = "% " + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Reason) + " %"
	}
	numbers := map[string]int64{
		"terms_version": f.TermsVersion, "event_from": int64(f.EventFrom), "event_to": int64(f.EventTo), "lock_before": int64(f.LockBefore),
		"pay_before": int64(f.PayBefore), "updated_since": int64(f.UpdatedSince),
	}
	for name, value := range numbers {
		if value != 0 {
			given[name] = value
		}
	}
	return given
}

// Actions lists actions in scope.
func (l *Ledger) Actions(ctx context.Context, scope Scope, f ActionFilter, p Page) (List[Action], error) {
	given := f.given()
	if !scope.limit(given) {
		return List[Action]{Items: []Action{}}, nil
	}
	narrowest(given, "order_id", "creator_id", "campaign_id", "advertiser_id")
	query, oldest := "ledger.action_list", f.OrderID != "" || f.TaskID != "" || f.UpdatedSince != 0
	if oldest {
		query = "ledger.action_list_oldest"
	}
	records, err := page(ctx, l.db, query, given, p, oldest, scanAction, func(a *ActionRecord) int64 { return a.Number })
	list := List[Action]{Items: []Action{}, NextCursor: records.NextCursor}
	if err != nil {
		return list, err
	}
	list.Items, err = l.viewActions(ctx, scope, records.Items)
	return list, err
}

// viewActions shows actions to a scope.
func (l *Ledger) viewActions(ctx context.Context, scope Scope, records []*ActionRecord) ([]Action, error) {
	views := make([]Action, len(records))
	agencies := map[string]bool{}
	for i, a := range records {
		agency, known := agencies[a.CampaignID]
		if !known && scope.advertiser() {
			var margin int64
			if err := l.db.Row(ctx, "ledger.agency_margin", a.CampaignID).Scan(&margin); err != nil {
				return nil, fmt.Errorf("ledger: reading an agency's margin: %w", err)
			}
			agency = margin != 0
			agencies[a.CampaignID] = agency
		}
		views[i] = viewAction(a, scope, agency)
		if a.ConversionID == "" || !scope.manages(a.AdvertiserID) {
			continue
		}
		signals, err := l.signalledBy(ctx, a.ID)
		if err != nil {
			return nil, err
		}
		views[i].Signals = signals
	}
	return views, nil
}

// Action finds an action in scope.
func (l *Ledger) Action(ctx context.Context, scope Scope, id string) (Action, error) {
	a, err := l.actionRecord(ctx, scope, id)
	if err != nil {
		return Action{}, err
	}
	views, err := l.viewActions(ctx, scope, []*ActionRecord{a})
	if err != nil {
		return Action{}, err
	}
	return views[0], nil
}

func (l *Ledger) actionRecord(ctx context.Context, scope Scope, id string) (*ActionRecord, error) {
	a, err := scanAction(l.db.Row(ctx, "ledger.action", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(a.AdvertiserID, a.CreatorID) {
		return nil, notFound("action", id)
	}
	return a, err
}

// A ConversionFilter narrows a list of conversions: every field that is given.
// Lists are newest first; with an OrderID oldest first.
type ConversionFilter struct {
	OrderID      string
	AdvertiserID string
	CreatorID    string // credited
	Event        string
	Source       string
	Signed       *bool
	Attributed   *bool
	Reason       string
	EventFrom    attribution.Instant // of event_time: [from, to)
	EventTo      attribution.Instant
}

// Conversions lists conversions in scope, each with the actions in scope. A
// creator sees those it is credited for.
func (l *Ledger) Conversions(ctx context.Context, scope Scope, f ConversionFilter, p Page) (List[Conversion], error) {
	given := database.Given{
		"order_id": f.OrderID, "advertiser_id": f.AdvertiserID, "creator_id": f.CreatorID, "event": f.Event, "source": f.Source, "reason": f.Reason,
	}
	if f.Signed != nil {
		given["signed"] = bit(*f.Signed)
	}
	if f.Attributed != nil {
		given["attributed"] = bit(*f.Attributed)
	}
	if f.EventFrom != 0 {
		given["event_from"] = int64(f.EventFrom)
	}
	if f.EventTo != 0 {
		given["event_to"] = int64(f.EventTo)
	}
	list := List[Conversion]{Items: []Conversion{}}
	if !scope.limit(given) {
		return list, nil
	}
	narrowest(given, "order_id", "advertiser_id")
	query, oldest := "ledger.conversion_list", f.OrderID != ""
	if oldest {
		query = "ledger.conversion_list_oldest"
	}
	records, err := page(ctx, l.db, query, given, p, oldest, scanConversion, func(c *ConversionRecord) int64 { return c.Number })
	if err != nil {
		return list, err
	}
	list.NextCursor = records.NextCursor
	for _, c := range records.Items {
		view, err := l.conversionView(ctx, scope, c)
		if err != nil {
			return list, err
		}
		list.Items = append(list.Items, view)
	}
	return list, nil
}

// Conversion finds a conversion in scope.
func (l *Ledger) Conversion(ctx context.Context, scope Scope, id string) (Conversion, error) {
	c, err := l.conversionRecord(ctx, scope, id)
	if err != nil {
		return Conversion{}, err
	}
	return l.conversionView(ctx, scope, c)
}

// conversionRecord finds a conversion in scope; a creator finds those it is
// credited for.
func (l *Ledger) conversionRecord(ctx context.Context, scope Scope, id string) (*ConversionRecord, error) {
	c, err := scanConversion(l.db.Row(ctx, "ledger.conversion", id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("conversion", id)
	}
	if err != nil || scope.manages(c.AdvertiserID) {
		return c, err
	}
	if scope.creator() {
		own, err := l.actionsIn(ctx, scope, c)
		if err != nil || len(own) > 0 {
			return c, err
		}
	}
	return nil, notFound("conversion", id)
}

func (l *Ledger) conversionView(ctx context.Context, scope Scope, c *ConversionRecord) (Conversion, error) {
	records, err := l.actionsIn(ctx, scope, c)
	if err != nil {
		return Conversion{}, err
	}
	views, err := l.viewActions(ctx, scope, records)
	return viewConversion(c, views), err
}

// actionsIn are the actions of a conversion that a scope sees, adjustments too.
func (l *Ledger) actionsIn(ctx context.Context, scope Scope, c *ConversionRecord) ([]*ActionRecord, error) {
	rows, err := l.db.Rows(ctx, "ledger.conversion_actions", c.OrderID, c.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var actions []*ActionRecord
	for rows.Next() {
		a, err := scanAction(rows)
		if err != nil {
			return nil, err
		}
		if scope.owns(a.AdvertiserID, a.CreatorID) {
			actions = append(actions, a)
		}
	}
	return actions, rows.Err()
}

// page runs a filtered query of one list. The cursor of a page is the number of
// its last item.
func page[T any](ctx context.Context, db database.Reader, query string, given database.Given, p Page, oldest bool,
	scan func(scanner) (T, error), number func(T) int64) (List[T], error) {
	list := List[T]{Items: []T{}}
	limit, err := p.limit()
	if err != nil {
		return list, err
	}
	bound := "before"
	if oldest {
		bound = "after"
	}
	if p.Cursor != "" {
		at, err := strconv.ParseInt(p.Cursor, 10, 64)
		if err != nil || at < 1 {
			return list, invalid("query.cursor", "is not a cursor of this list: pass the next_cursor of its last answer")
		}
		given[bound] = at
	}
	given["limit"] = limit + 1
	rows, err := db.Filter(ctx, query, given)
	if err != nil {
		return list, err
	}
	defer rows.Close()
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return list, err
		}
		list.Items = append(list.Items, item)
	}
	if err := rows.Err(); err != nil {
		return list, fmt.Errorf("ledger: reading %s: %w", query, err)
	}
	if len(list.Items) > limit {
		list.Items = list.Items[:limit]
		list.NextCursor = strconv.FormatInt(number(list.Items[limit-1]), 10)
	}
	return list, nil
}

func narrowest(given database.Given, names ...string) { given.Narrow(names...) }
