package reports

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
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
}

// New makes Reports over an open ClickHouse.
func New(conn driver.Conn, freshness Freshness, margins Margins) *Reports {
	parse := func(name string) *template.Template {
		return template.Must(template.New(name).Parse(schema.ClickHouseQuery(name)))
	}
	return &Reports{conn: conn, freshness: freshness, margins: margins, performance: parse("performance"), clicks: parse("clicks")}
}

// A Row is one row of figures: what it was grouped by, and what was counted of
// clicks and of actions. Report.Value writes its figures.
type Row struct {
	Keys     []string // in the order of the report's Groupings
	Currency string
	Figures  []uint64 // of clicks, in the order of Columns
	Sums     []int64  // of actions, in the order of actionSums
}

// A Report is an answer with its totals, one per currency.
type Report struct {
	Groupings   []Dimension
	Rows        []Row
	Totals      []Row
	Truncated   bool // there were more rows than the limit
	DataThrough time.Time
	Lag         time.Duration

	clicks, actions bool // what is known of such rows
	creator         bool // a creator asks
}

// Performance answers a question for figures.
func (r *Reports) Performance(ctx context.Context, q *Query, now time.Time) (*Report, error) {
	report := &Report{Groupings: q.groupBy, clicks: q.clicks, actions: q.actions, creator: q.scope.CreatorID != ""}
	// Asked before the figures, so that it never promises more than they hold.
	report.DataThrough = r.freshness.DataThrough(now)
	report.Lag = max(0, now.Sub(report.DataThrough))
	agencies, err := r.agencies(ctx, q.scope)
	if err != nil {
		return nil, err
	}
	rows, err := r.rows(ctx, q, agencies, q.groupBy, q.limit+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > q.limit {
		rows, report.Truncated = rows[:q.limit], true
	}
	report.Rows = rows
	if !report.Truncated && !q.actions { // a conversion may be in several rows, and is one in the totals
		report.Totals = totalsOf(rows)
		return report, nil
	}
	if report.Totals, err = r.rows(ctx, q, agencies, nil, q.limit); err != nil {
		return nil, err
	}
	return report, nil
}

// totalsOf adds rows up by currency.
func totalsOf(rows []Row) []Row {
	totals := []Row{}
	for _, row := range rows {
		i := slices.IndexFunc(totals, func(t Row) bool { return t.Currency == row.Currency })
		if i < 0 {
			i = len(totals)
			totals = append(totals, Row{Keys: []string{}, Currency: row.Currency, Figures: make([]uint64, len(row.Figures)), Sums: make([]int64, len(row.Sums))})
		}
		for n, figure := range row.Figures {
			totals[i].Figures[n] += figure
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

func (r *Reports) rows(ctx context.Context, q *Query, agencies []string, groupBy []Dimension, limit int) ([]Row, error) {
	statement, parameters, err := r.statement(q, groupBy, limit)
	if err != nil {
		return nil, err
	}
	parameters["agencies"] = arrayParameter(agencies)
	result, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), statement)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for the report: %w", err)
	}
	defer result.Close()
	rows := []Row{}
	for result.Next() {
		row := Row{Keys: make([]string, len(groupBy)), Figures: make([]uint64, len(clickColumns)), Sums: make([]int64, len(actionSums))}
		var targets []any
		for i := range row.Keys {
			targets = append(targets, &row.Keys[i])
		}
		targets = append(targets, &row.Currency)
		for i := range row.Figures {
			targets = append(targets, &row.Figures[i])
		}
		for i := range row.Sums {
			targets = append(targets, &row.Sums[i])
		}
		if err := result.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read the report: %w", err)
		}
		nameHours(row.Keys, groupBy, q.zone)
		rows = append(rows, row)
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	return rows, nil
}

// A branch is the part of the query that reads one table.
type branch struct {
	Groupings, Figures, Conditions []string
	Table, Time, GroupBy           string
}

// statement writes the query: fragments from this package's lists, every value
// as a parameter.
func (r *Reports) statement(q *Query, groupBy []Dimension, limit int) (string, clickhouse.Parameters, error) {
	parameters := clickhouse.Parameters{"tz": q.zone.String(), "from": clickHouseTime(q.from), "to": clickHouseTime(q.to)}
	var names []string
	for _, d := range groupBy {
		names = append(names, "by_"+d.Name)
	}
	names = append(names, "currency")
	input := struct {
		Names, Figures   []string
		Branches         []branch
		GroupBy, OrderBy string
		Limit            int
	}{Names: names, GroupBy: strings.Join(names, ", "), OrderBy: orderOf(q, groupBy, names), Limit: limit}
	part := "" // the names' ending where two tables' figures are added up
	if q.clicks && q.actions {
		part = "_part"
	}
	clicks, actions := q.clickBranch(groupBy, parameters, part), q.actionBranch(groupBy, parameters)
	for _, c := range clickColumns {
		input.Figures = append(input.Figures, "figure_"+c.name)
		actions.Figures = append(actions.Figures, "toUInt64(0) AS figure_"+c.name+part)
	}
	var sums []string
	for _, s := range actionSums {
		input.Figures = append(input.Figures, "figure_"+s.name)
		clicks.Figures = append(clicks.Figures, "toInt64(0) AS figure_"+s.name+part)
		sums = append(sums, "toInt64("+s.sql+") AS figure_"+s.name+part)
	}
	actions.Figures = append(actions.Figures, sums...)
	if q.clicks {
		input.Branches = append(input.Branches, clicks)
	}
	if q.actions {
		input.Branches = append(input.Branches, actions)
	}
	var statement strings.Builder
	if err := r.performance.Execute(&statement, input); err != nil {
		return "", nil, fmt.Errorf("write the report's query: %w", err)
	}
	return statement.String(), parameters, nil
}

func (q *Query) clickBranch(groupBy []Dimension, parameters clickhouse.Parameters, part string) branch {
	from := q.source(groupBy)
	b := q.branch(groupBy, tables[from], ofActions, parameters)
	for _, c := range clickColumns {
		figure := c.sums
		if from == byRow {
			figure = c.rows
		}
		b.Figures = append(b.Figures, "toUInt64("+figure+") AS figure_"+c.name+part)
	}
	return b
}

// actionBranch reads every action's newest version: FINAL leaves the others out.
func (q *Query) actionBranch(groupBy []Dimension, parameters clickhouse.Parameters) branch {
	return q.branch(groupBy, table{"actions FINAL", "event_time"}, ofClicks, parameters)
}

// branch reads a table by the groupings and filters that are not others'.
func (q *Query) branch(groupBy []Dimension, from table, others known, parameters clickhouse.Parameters) branch {
	b := branch{Table: from.name, Time: from.time, Conditions: scopeConditions(q.scope, parameters)}
	var keys []string
	for _, d := range groupBy {
		b.Groupings = append(b.Groupings, "CAST("+d.text(from.time)+" AS String) AS by_"+d.Name)
		keys = append(keys, d.key(from.time))
	}
	b.Groupings = append(b.Groupings, "CAST(currency AS String) AS currency")
	b.GroupBy = strings.Join(append(keys, "currency"), ", ")
	for i, f := range q.filters {
		if f.dimension.known == others {
			continue
		}
		name := "filter" + strconv.Itoa(i)
		parameters[name] = arrayParameter(f.values)
		b.Conditions = append(b.Conditions, f.dimension.key(from.time)+" IN {"+name+":Array(String)}")
	}
	return b
}

// orderOf sorts by the asked field, then by every grouping, so that the same question
// has the same answer row by row.
func orderOf(q *Query, groupBy []Dimension, names []string) string {
	rest := strings.Join(names, ", ")
	if len(groupBy) == 0 {
		return rest
	}
	expression := orderBy(q.sortBy)
	if q.sortBy == "currency" {
		expression = "currency"
	}
	for _, d := range groupBy {
		if d.Field == q.sortBy {
			expression = "by_" + d.Name
		}
	}
	if q.falling {
		expression += " DESC"
	}
	return expression + ", " + rest
}

func scopeConditions(scope Scope, parameters clickhouse.Parameters) []string {
	var conditions []string
	if scope == (Scope{}) {
		conditions = append(conditions, "1 = 0")
	}
	if scope.AdvertiserID != "" {
		parameters["scope_advertiser"] = scope.AdvertiserID
		conditions = append(conditions, "advertiser_id = {scope_advertiser:String}")
	}
	if scope.CreatorID != "" {
		parameters["scope_creator"] = scope.CreatorID
		conditions = append(conditions, "creator_id = {scope_creator:String}")
	}
	return conditions
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

func clickHouseTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// arrayParameter writes values as the text of an Array(String) parameter.
func arrayParameter(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
	}
	return "[" + strings.Join(quoted, ",") + "]"
}
