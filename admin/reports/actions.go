package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
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
	// The length of the first span, in rows for each that is wanted, and how much
	// longer the next one is at most while there are too few.
	firstSpan, spanGrowth = 2, 64
	// staleGrowth is how many more are looked at when few of them still answer.
	staleGrowth = 4
)

// An ActionQuestion asks for actions, newest event first.
type ActionQuestion struct {
	From, To string              // of event_time, as in Question
	TZ       string              // of days; empty: UTC
	Filters  map[string][]string // by name, as ActionFilterInput has them
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
	rows     float64 // the length of the next span, in rows; 0: not known yet
	looks    int     // how many are looked at for each that is wanted
}

// ActionListing checks a question for actions, and that ClickHouse answers.
func (r *Reports) ActionListing(ctx context.Context, scope Scope, q ActionQuestion, now time.Time) (*ActionListing, error) {
	l := &ActionListing{reports: r, scope: ledgerScope(scope), limit: q.Limit, looks: 1}
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

// next hands on more actions, about as many as are wanted, and reports whether there
// may be others behind them.
func (l *ActionListing) next(ctx context.Context, want int, with func(*ledger.ActionRecord, ledger.Action) error) (more bool, err error) {
	if !l.from.Before(l.to) {
		return false, nil
	}
	if l.rows == 0 {
		l.rows = firstSpan * float64(want)
	}
	want = min(want*l.looks, max(want, streamPage))
	from := l.to.Add(-l.span())
	l.parameters["from"], l.parameters["to"] = clickHouseTime(from), clickHouseTime(l.to)
	statement, err := schema.ClickHouseStatement("actions", struct {
		Conditions []string
		Changing   bool
		Limit      int
	}{l.conditions, l.changing, want})
	if err != nil {
		return false, err
	}
	found, answered := 0, 0
	var last *ledger.ActionRecord
	err = l.reports.each(ctx, "actions", statement, l.parameters, func(scan func(...any) error) error {
		var whole string
		var answers uint8
		if err := scan(&whole, &answers); err != nil {
			return err
		}
		a, err := readAction(whole)
		if err != nil {
			return err
		}
		if found, last = found+1, a; answers == 0 {
			return nil
		}
		answered++
		return with(a, a.View(l.scope, slices.Contains(l.agencies, a.CampaignID)))
	})
	if err != nil {
		return false, err
	}
	if 2*answered < found {
		l.looks = min(staleGrowth*l.looks, streamPage)
	}
	if found == want { // there may be more in the span
		at := time.UnixMilli(last.EventTimeMs)
		l.rows = firstSpan * max(1, float64(l.to.Sub(at))/float64(l.perRow))
		l.begin(at, last.ID)
		return true, nil
	}
	l.to = from
	l.rows *= min(spanGrowth, firstSpan*float64(want)/max(0.01, float64(found)))
	return l.from.Before(l.to), nil
}

// span is the length of the next span. It is reckoned in floating point: few rows
// over many years would not fit a duration.
func (l *ActionListing) span() time.Duration {
	all := l.to.Sub(l.from)
	if span := l.rows * float64(l.perRow); span < float64(all) {
		return max(time.Millisecond, time.Duration(span))
	}
	return all
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

// readAction reads a whole action as it is stored: its texts, its numbers and its
// reasons, in that order.
func readAction(whole string) (*ledger.ActionRecord, error) {
	a := &ledger.ActionRecord{}
	texts := []*string{
		&a.ID, &a.ConversionID, &a.AdvertiserID, &a.CampaignID, &a.CreatorID, &a.TaskID, &a.LinkID, &a.PostID, &a.Code, &a.Platform, &a.Event,
		&a.OrderID, &a.ClickID, &a.Corrects, &a.Referral, &a.Model, &a.Credit, &a.Currency, &a.State, &a.Reversal, &a.Notes, &a.PayoutID,
	}
	numbers := []*int64{
		&a.Quantity, &a.AmountMinor, &a.IntendedMinor, &a.PayoutMinor, &a.CostMinor, &a.TermsVersion, &a.Seq, &a.ClickTimeMs, &a.EventTimeMs,
		&a.ReceivedAtMs, &a.LockAtMs, &a.PayAtMs, &a.LockedAtMs, &a.PayableAtMs, &a.PaidAtMs, &a.ReversedAtMs, &a.CreatedAtMs, &a.UpdatedAtMs,
	}
	var fields []string
	if err := json.Unmarshal([]byte(whole), &fields); err != nil {
		return nil, err
	}
	known := len(texts) + len(numbers)
	if len(fields) < known {
		return nil, fmt.Errorf("a whole action of %d fields, want %d", len(fields), known)
	}
	for i, text := range texts {
		*text = fields[i]
	}
	for i, number := range numbers {
		var err error
		if *number, err = strconv.ParseInt(fields[len(texts)+i], 10, 64); err != nil {
			return nil, err
		}
	}
	a.Reasons = fields[known:]
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
