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

// Reports answers questions from ClickHouse.
type Reports struct {
	conn        driver.Conn
	freshness   Freshness
	performance *template.Template
	clicks      *template.Template
}

// New makes Reports over an open ClickHouse.
func New(conn driver.Conn, freshness Freshness) *Reports {
	parse := func(name string) *template.Template {
		return template.Must(template.New(name).Parse(schema.ClickHouseQuery(name)))
	}
	return &Reports{conn: conn, freshness: freshness, performance: parse("performance"), clicks: parse("clicks")}
}

// A Row is one row of figures: what it was grouped by, and the figures in the
// order of Columns.
type Row struct {
	Keys     []string // in the order of the report's Groupings
	Currency string
	Figures  []uint64
}

// A Report is an answer with its totals, one per currency.
type Report struct {
	Groupings   []Dimension
	Rows        []Row
	Totals      []Row
	Truncated   bool // there were more rows than the limit
	DataThrough time.Time
	Lag         time.Duration
}

// Performance answers a question for figures.
func (r *Reports) Performance(ctx context.Context, q *Query, now time.Time) (*Report, error) {
	report := &Report{Groupings: q.groupBy}
	// Asked before the figures, so that it never promises more than they hold.
	report.DataThrough = r.freshness.DataThrough(now)
	report.Lag = max(0, now.Sub(report.DataThrough))
	rows, err := r.rows(ctx, q, q.groupBy, q.limit+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > q.limit {
		rows, report.Truncated = rows[:q.limit], true
	}
	report.Rows = rows
	if !report.Truncated {
		report.Totals = totalsOf(rows)
		return report, nil
	}
	if report.Totals, err = r.rows(ctx, q, nil, q.limit); err != nil {
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
			totals = append(totals, Row{Keys: []string{}, Currency: row.Currency, Figures: make([]uint64, len(row.Figures))})
		}
		for n, figure := range row.Figures {
			totals[i].Figures[n] += figure
		}
	}
	slices.SortFunc(totals, func(a, b Row) int { return strings.Compare(a.Currency, b.Currency) })
	return totals
}

func (r *Reports) rows(ctx context.Context, q *Query, groupBy []Dimension, limit int) ([]Row, error) {
	statement, parameters, err := r.statement(q, groupBy, limit)
	if err != nil {
		return nil, err
	}
	result, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), statement)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for the report: %w", err)
	}
	defer result.Close()
	rows := []Row{}
	for result.Next() {
		row := Row{Keys: make([]string, len(groupBy)), Figures: make([]uint64, len(clickColumns))}
		targets := make([]any, 0, len(groupBy)+1+len(clickColumns))
		for i := range row.Keys {
			targets = append(targets, &row.Keys[i])
		}
		targets = append(targets, &row.Currency)
		for i := range row.Figures {
			targets = append(targets, &row.Figures[i])
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

// statement writes the query: fragments from this package's lists, every value
// as a parameter.
func (r *Reports) statement(q *Query, groupBy []Dimension, limit int) (string, clickhouse.Parameters, error) {
	from := q.source(groupBy)
	table := tables[from]
	parameters := clickhouse.Parameters{
		"tz":   q.zone.String(),
		"from": clickHouseTime(q.from),
		"to":   clickHouseTime(q.to),
	}
	input := struct {
		Groupings, Figures, Conditions []string
		Table, Time, GroupBy, OrderBy  string
		Limit                          int
	}{Table: table.name, Time: table.time, Limit: limit}

	var keys, names []string
	for _, d := range groupBy {
		input.Groupings = append(input.Groupings, d.text(table.time)+" AS by_"+d.Name)
		keys, names = append(keys, d.key(table.time)), append(names, "by_"+d.Name)
	}
	keys, names = append(keys, "currency"), append(names, "currency")
	for _, c := range clickColumns {
		figure := c.sums
		if from == byRow {
			figure = c.rows
		}
		input.Figures = append(input.Figures, "toUInt64("+figure+") AS figure_"+c.name)
	}
	input.Conditions = scopeConditions(q.scope, parameters)
	for i, f := range q.filters {
		name := "filter" + strconv.Itoa(i)
		parameters[name] = arrayParameter(f.values)
		input.Conditions = append(input.Conditions, f.dimension.key(table.time)+" IN {"+name+":Array(String)}")
	}
	input.GroupBy = strings.Join(keys, ", ")
	input.OrderBy = orderOf(q, groupBy, names)
	var statement strings.Builder
	if err := r.performance.Execute(&statement, input); err != nil {
		return "", nil, fmt.Errorf("write the report's query: %w", err)
	}
	return statement.String(), parameters, nil
}

// orderOf sorts by the asked field, then by every grouping, so that the same question
// has the same answer row by row.
func orderOf(q *Query, groupBy []Dimension, names []string) string {
	rest := strings.Join(names, ", ")
	if len(groupBy) == 0 {
		return rest
	}
	expression := "figure_" + q.sortBy
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
