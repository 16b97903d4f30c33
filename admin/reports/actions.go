package reports

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
)

// The listing of actions is read from ClickHouse, not from the ledger's SQL: with
// a filter on every field, most of them rare, SQL would need as many indexes or
// read every row of a million, where ClickHouse reads the filtered columns alone.
// It is as fresh as every report (data_through), and GET /v1/actions stays for
// what must be read back at once.

// MaxActions is the most actions one page holds; files have no such bound.
const MaxActions = 1_000

const (
	defaultActions = 100
	// streamPage is how many rows of a file are asked for at once.
	streamPage = 20_000
	// The length of the first span, in rows for each that is wanted, how much longer
	// every next one is while there are too few, and how long they get, in rows.
	firstSpan, spanGrowth, longestSpan = 2, 8, 500_000
)

// An ActionQuestion asks for actions, newest event first.
type ActionQuestion struct {
	From, To string              // of event_time, as in Question
	TZ       string              // of days; empty: UTC
	Filters  map[string][]string // by name, as ActionFilters lists them
	Cursor   string
	Limit    int // 0: 100
}

// An ActionPage is a part of the answer; NextCursor is empty on the last.
type ActionPage struct {
	Actions     []ledger.Action
	NextCursor  string
	DataThrough time.Time
	Lag         time.Duration
}

// Actions lists actions, newest first.
func (r *Reports) Actions(ctx context.Context, scope Scope, q ActionQuestion, now time.Time) (*ActionPage, error) {
	listing, err := r.ActionListing(ctx, scope, q, now)
	if err != nil {
		return nil, err
	}
	page := &ActionPage{Actions: []ledger.Action{}, DataThrough: listing.DataThrough, Lag: listing.Lag}
	for page.NextCursor == "" {
		more, err := listing.next(ctx, listing.limit+1-len(page.Actions), func(a *ledger.ActionRecord, view ledger.Action) error {
			if len(page.Actions) == listing.limit {
				last := page.Actions[listing.limit-1]
				page.NextCursor = writeCursor(last.EventTime.Time(), last.ID)
				return nil
			}
			page.Actions = append(page.Actions, view)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	return page, nil
}

// An ActionListing is a checked question for actions on its way through time,
// backwards, from one span to the next. The spans are as long as is likely to hold
// the rows that are wanted, so that a page of what is common reads little of a
// large table, and one of what is rare reads every row once.
type ActionListing struct {
	DataThrough time.Time
	Lag         time.Duration

	reports    *Reports
	scope      ledger.Scope
	agencies   []string
	conditions []string
	changing   bool // a condition is about what changes in an action
	parameters clickhouse.Parameters
	limit      int

	from, to time.Time // of event_time; to moves backwards
	perRow   time.Duration
	span     time.Duration // the length of the next one; 0: not known yet
}

// ActionListing checks a question for actions, and that ClickHouse answers.
func (r *Reports) ActionListing(ctx context.Context, scope Scope, q ActionQuestion, now time.Time) (*ActionListing, error) {
	l := &ActionListing{reports: r, scope: ledgerScope(scope), limit: q.Limit}
	l.DataThrough = r.freshness.DataThrough(now)
	l.Lag = max(0, now.Sub(l.DataThrough))
	var err error
	if l.agencies, err = r.agencies(ctx, scope); err != nil {
		return nil, err
	}
	if err := l.check(scope, q); err != nil {
		return nil, err
	}
	return l, l.bound(ctx)
}

func (l *ActionListing) check(scope Scope, q ActionQuestion) error {
	var check attribution.Checker
	zone := checkZone(&check, q.TZ)
	// Actions of a task may be due after now: without an end there is none.
	l.from, l.to = checkPeriod(&check, q.From, q.To, zone, endOfTime)
	if l.limit == 0 {
		l.limit = defaultActions
	}
	check.Require(l.limit > 0 && l.limit <= MaxActions, "query.limit", "must be 1 to %d", MaxActions)
	l.parameters = clickhouse.Parameters{}
	l.conditions = scopeConditions(scope, l.parameters)
	l.filter(&check, scope, q.Filters, zone)
	if q.Cursor != "" {
		at, id, ok := readCursor(q.Cursor)
		check.Require(ok, "query.cursor", "is not one an earlier answer gave")
		l.begin(at, id)
	}
	return check.Err()
}

// endOfTime is behind every time that is stored.
var endOfTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// bound narrows the period to what is stored, and learns how close the rows lie.
func (l *ActionListing) bound(ctx context.Context) error {
	var rows uint64
	var first, last time.Time
	err := l.reports.each(ctx, "the bounds of actions", schema.ClickHouseQuery("action_bounds"), nil, func(scan func(...any) error) error {
		return scan(&rows, &first, &last)
	})
	l.from, l.to = later(l.from, first), earlier(l.to, last.Add(time.Millisecond))
	l.perRow = last.Sub(first)/time.Duration(max(1, rows)) + 1
	return err
}

// begin leaves out an action and all before it in the list.
func (l *ActionListing) begin(at time.Time, id string) {
	const condition = "(event_time, id) < ({cursor_time:DateTime64(3, 'UTC')}, {cursor_id:String})"
	if l.parameters["cursor_time"] == "" {
		l.conditions = append(l.conditions, condition)
	}
	l.parameters["cursor_time"], l.parameters["cursor_id"] = clickHouseTime(at), id
	l.to = earlier(l.to, at.Add(time.Millisecond))
}

// next hands on up to want more actions, and reports whether there may be others
// behind them.
func (l *ActionListing) next(ctx context.Context, want int, with func(*ledger.ActionRecord, ledger.Action) error) (more bool, err error) {
	if !l.from.Before(l.to) {
		return false, nil
	}
	if l.span == 0 {
		l.span = firstSpan * time.Duration(want) * l.perRow
	}
	from := later(l.from, l.to.Add(-l.span))
	l.parameters["from"], l.parameters["to"] = clickHouseTime(from), clickHouseTime(l.to)
	statement, err := l.reports.write("actions", struct {
		Conditions []string
		Changing   bool
		Limit      int
	}{l.conditions, l.changing, want})
	if err != nil {
		return false, err
	}
	found := 0
	var last *ledger.ActionRecord
	err = l.reports.each(ctx, "actions", statement, l.parameters, func(scan func(...any) error) error {
		a, err := scanAction(scan)
		if err != nil {
			return err
		}
		found, last = found+1, a
		return with(a, a.View(l.scope, slices.Contains(l.agencies, a.CampaignID)))
	})
	if err != nil {
		return false, err
	}
	if found == want { // there may be more in the span
		at := time.UnixMilli(last.EventTimeMs)
		l.span = max(time.Millisecond, l.to.Sub(at))
		l.begin(at, last.ID)
		return true, nil
	}
	l.to = from
	l.span = min(spanGrowth*l.span, longestSpan*l.perRow)
	return l.from.Before(l.to), nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// scanAction reads a row of actions.sql, its columns in that order.
func scanAction(scan func(...any) error) (*ledger.ActionRecord, error) {
	a := &ledger.ActionRecord{}
	var reasons []string
	var terms uint32
	var seq uint64
	var times [11]time.Time
	err := scan(&a.ID, &a.ConversionID, &a.AdvertiserID, &a.CampaignID, &a.CreatorID, &a.TaskID, &a.LinkID, &a.PostID, &a.Code, &a.Platform,
		&a.Event, &a.OrderID, &a.ClickID, &a.Corrects, &a.Referral, &a.Model, &a.Credit, &a.Quantity, &a.Currency, &a.AmountMinor,
		&a.IntendedMinor, &a.PayoutMinor, &a.CostMinor, &a.State, &reasons, &a.Reversal, &a.Notes, &times[0], &times[1], &times[2], &times[3],
		&times[4], &times[5], &times[6], &times[7], &times[8], &a.PayoutID, &terms, &times[9], &times[10], &seq)
	if err != nil {
		return nil, err
	}
	a.Reasons, a.TermsVersion, a.Seq = reasons, int64(terms), int64(seq)
	for i, field := range []*int64{
		&a.ClickTimeMs, &a.EventTimeMs, &a.ReceivedAtMs, &a.LockAtMs, &a.PayAtMs, &a.LockedAtMs, &a.PayableAtMs, &a.PaidAtMs, &a.ReversedAtMs,
		&a.CreatedAtMs, &a.UpdatedAtMs,
	} {
		*field = times[i].UnixMilli()
	}
	return a, nil
}

// ledgerScope is a scope as the ledger has it.
func ledgerScope(scope Scope) ledger.Scope {
	switch {
	case scope.CreatorID != "":
		return ledger.Scope{Role: ledger.RoleCreator, CreatorID: scope.CreatorID}
	case scope.AdvertiserID != "":
		return ledger.Scope{Role: ledger.RoleAdvertiser, AdvertiserID: scope.AdvertiserID}
	case scope.All:
		return ledger.Scope{Role: ledger.RoleAdmin}
	}
	return ledger.Scope{}
}
