package reports

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
)

// Freshness says how far the stored data reaches.
type Freshness interface {
	// DataThrough returns a time: everything received before it is stored.
	DataThrough(now time.Time) time.Time
}

// Margins tells which payouts are not for the advertiser's eyes.
type Margins interface {
	// AgencyCampaigns are an advertiser's campaigns in which an agency has a margin.
	AgencyCampaigns(ctx context.Context, advertiserID string) ([]string, error)
}

// Reports answers questions from ClickHouse.
type Reports struct {
	conn        driver.Conn
	freshness   Freshness
	margins     Margins
	performance *template.Template
	clicks      *template.Template
	maxGathered int // rows of each kind of thing that are put together here
}

// New makes Reports over an open ClickHouse.
func New(conn driver.Conn, freshness Freshness, margins Margins) *Reports {
	parse := func(name string) *template.Template {
		return template.Must(template.New(name).Parse(schema.ClickHouseQuery(name)))
	}
	return &Reports{conn: conn, freshness: freshness, margins: margins, performance: parse("performance"), clicks: parse("clicks"), maxGathered: 20_000}
}

// A Row is one row of figures: what it was grouped by, and what was added up.
// Report.Value writes its figures.
type Row struct {
	// Keys are in the order of the report's Groupings. Of a row that only the
	// previous period has, a time is empty where this period has no such step.
	Keys     []string
	Currency string
	// Previous is the same row of the period before, with its own Keys, and none
	// where that period had no such row; nil in a report that does not compare.
	Previous *Row

	figures []int64 // by place in columns
}

// A Report is an answer with its totals, one per currency.
type Report struct {
	Groupings   []Dimension
	Columns     []Column // that were asked for
	Rows        []Row
	Totals      []Row
	Truncated   bool // there were more rows than the limit
	From, To    time.Time
	AsOf        time.Time // zero: as it is now
	DataThrough time.Time
	Lag         time.Duration
	// PreviousFrom is where the period before begins, which ends with From; zero in
	// a report that does not compare.
	PreviousFrom time.Time

	known   kinds // what rows are of
	creator bool  // a creator asks
}

// Performance answers a question for figures.
func (r *Reports) Performance(ctx context.Context, q *Query, now time.Time) (*Report, error) {
	report := &Report{
		Groupings: q.groupBy, Columns: q.columns, From: q.from, To: q.to, AsOf: q.asOf, known: q.known, creator: q.scope.CreatorID != "",
	}
	// Asked before the figures, so that it never promises more than they hold.
	report.DataThrough = r.freshness.DataThrough(now)
	report.Lag = max(0, now.Sub(report.DataThrough))
	agencies, err := r.agencies(ctx, q.scope)
	if err != nil {
		return nil, err
	}
	if q.compare {
		return report, r.comparison(ctx, q, agencies, report)
	}
	report.Rows, report.Totals, report.Truncated, err = r.figures(ctx, q, agencies, period{q.from, q.to}, q.limit)
	return report, err
}

// figures are the rows of a period in order, up to a limit, and their totals.
func (r *Reports) figures(ctx context.Context, q *Query, agencies []string, in period, limit int) (rows, totals []Row, truncated bool, err error) {
	rows, all, err := r.rows(ctx, q, agencies, in, q.groupBy, limit+1)
	if err != nil {
		return nil, nil, false, err
	}
	if all {
		totals = totalsOf(rows)
		err = r.countShared(ctx, q, agencies, in, totals)
	} else {
		totals, _, err = r.rows(ctx, q, agencies, in, nil, limit)
	}
	return rows[:min(len(rows), limit)], totals, len(rows) > limit, err
}

// countShared counts the shared orders of totals anew: one may be in several rows,
// and is one in their total.
func (r *Reports) countShared(ctx context.Context, q *Query, agencies []string, in period, totals []Row) error {
	if !slices.ContainsFunc(totals, func(t Row) bool { return t.figure(shared) != 0 }) {
		return nil
	}
	forms := slices.DeleteFunc(q.forms(), func(f form) bool { return !slices.Contains(f.figures, figureIndex[shared]) })
	counted, err := r.read(ctx, q.statement(forms, nil, in, agencies, MaxRows))
	if err != nil {
		return err
	}
	for _, row := range counted {
		i := slices.IndexFunc(totals, func(t Row) bool { return t.Currency == row.Currency })
		if i < 0 {
			continue // it came in between
		}
		conversions := &totals[i].figures[figureIndex["conversions"]]
		*conversions += row.figure(shared) - totals[i].figure(shared)
		totals[i].figures[figureIndex[shared]] = row.figure(shared)
	}
	return nil
}

// totalsOf adds rows up by currency. Shared orders are counted as often as there are
// rows of them.
func totalsOf(rows []Row) []Row {
	totals := []Row{}
	for _, row := range rows {
		i := slices.IndexFunc(totals, func(t Row) bool { return t.Currency == row.Currency })
		if i < 0 {
			i = len(totals)
			totals = append(totals, Row{Keys: []string{}, Currency: row.Currency, figures: make([]int64, len(columns))})
		}
		for n, figure := range row.figures {
			totals[i].figures[n] += figure
		}
	}
	slices.SortFunc(totals, func(a, b Row) int { return strings.Compare(a.Currency, b.Currency) })
	return totals
}

// agencies are the campaigns whose payouts the scope may not see.
func (r *Reports) agencies(ctx context.Context, scope Scope) ([]string, error) {
	if scope.AdvertiserID == "" || scope.CreatorID != "" {
		return nil, nil
	}
	return r.margins.AgencyCampaigns(ctx, scope.AdvertiserID)
}

// rows are the rows of a period in order. They are all there are, or else the first
// of them.
func (r *Reports) rows(ctx context.Context, q *Query, agencies []string, in period, groupBy []Dimension, limit int) (rows []Row, all bool, err error) {
	forms := q.forms()
	if len(forms) > 1 {
		rows, all, err = r.gather(ctx, q, forms, agencies, in, groupBy)
		if err != nil || all {
			return rows, all, err
		}
	}
	rows, err = r.read(ctx, q.statement(forms, groupBy, in, agencies, limit).sorted())
	return rows, len(rows) < limit, err
}

// gather reads each form by itself and puts their rows together, if there are not
// too many: then ClickHouse does, which takes it longer to plan.
func (r *Reports) gather(ctx context.Context, q *Query, forms []form, agencies []string, in period, groupBy []Dimension) (rows []Row, all bool, err error) {
	parts, failures := make([][]Row, len(forms)), make([]error, len(forms))
	var reading sync.WaitGroup
	for i := range forms {
		reading.Go(func() {
			parts[i], failures[i] = r.read(ctx, q.statement(forms[i:i+1], groupBy, in, agencies, r.maxGathered+1))
		})
	}
	reading.Wait()
	places := map[string]int{}
	for i, part := range parts {
		if failures[i] != nil || len(part) > r.maxGathered {
			return nil, false, errors.Join(failures...)
		}
		for _, row := range part {
			name := row.name()
			place, found := places[name]
			if !found {
				places[name] = len(rows)
				rows = append(rows, row)
				continue
			}
			for n, figure := range row.figures {
				rows[place].figures[n] += figure
			}
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return q.inOrder(groupBy, &a, &b) })
	return rows, true, nil
}

// name tells a row from every other of its report.
func (row *Row) name() string { return strings.Join(row.Keys, "\x00") + "\x00" + row.Currency }

// read asks ClickHouse for the rows of a statement.
func (r *Reports) read(ctx context.Context, s *statement) ([]Row, error) {
	text, err := r.fill(s)
	if err != nil {
		return nil, err
	}
	rows := []Row{}
	err = r.each(ctx, "the report", text, s.parameters, func(scan func(...any) error) error {
		row := Row{Keys: make([]string, len(s.groupBy)), figures: make([]int64, len(columns))}
		var targets []any
		for i := range row.Keys {
			targets = append(targets, &row.Keys[i])
		}
		targets = append(targets, &row.Currency)
		for _, place := range s.figures {
			targets = append(targets, &row.figures[place])
		}
		if err := scan(targets...); err != nil {
			return err
		}
		nameHours(row.Keys, s.groupBy, s.q.zone)
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

func nameHours(keys []string, groupBy []Dimension, zone *time.Location) {
	for i, d := range groupBy {
		if d.Name != "hour" {
			continue
		}
		if seconds, err := strconv.ParseInt(keys[i], 10, 64); err == nil {
			keys[i] = time.Unix(seconds, 0).In(zone).Format(time.RFC3339)
		}
	}
}
