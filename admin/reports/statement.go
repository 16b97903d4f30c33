package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// A statement is the query that answers for one period, grouped some way.
type statement struct {
	q          *Query
	groupBy    []Dimension
	figures    []int // of columns: what is added up
	parameters clickhouse.Parameters
	agencies   bool // some payouts are hidden

	// What the template is filled in with.
	Names, Figures      []string
	Branches            []branch
	GroupNames, OrderBy string
	Limit               int

	part string // the figures' ending where several branches are added up
}

// A branch is the part of the query that reads one table, or one way.
type branch struct {
	Form                           string // plain, actions or posts
	Table, Time, From, To          string
	Groupings, Figures, Conditions []string
	GroupBy                        string

	// Of actions.
	Names      []string
	GroupNames string
	Spans      []branch
	Entries    bool   // they are read from entries, not from their sums
	OfAgency   string // whether payouts of the row are hidden
	// Of posts.
	Told string
}

// A period is half-open.
type period struct{ from, to time.Time }

// A form is one kind of branch, and the figures it adds up.
type form struct {
	of       kinds
	branches func(*statement, period) []branch
	figures  []int // of columns
}

// forms are what a question is answered from.
func (q *Query) forms() []form {
	var forms []form
	needed := q.needed()
	add := func(of kinds, branches func(*statement, period) []branch, has func(*Column) bool) {
		if needed&of == 0 {
			return
		}
		f := form{of: of, branches: branches}
		for _, i := range q.figures() {
			if has(&columns[i]) {
				f.figures = append(f.figures, i)
			}
		}
		forms = append(forms, f)
	}
	add(ofClicks, (*statement).ofClicks, func(c *Column) bool { return c.of == ofClicks })
	add(ofActions, (*statement).ofActions, func(c *Column) bool { return c.of == ofActions && c.Name != shared })
	if q.needs("conversions") {
		add(ofActions, (*statement).ofShared, func(c *Column) bool { return c.Name == "conversions" || c.Name == shared })
	}
	add(ofPosts, (*statement).ofPosts, func(c *Column) bool { return c.of == ofPosts })
	return forms
}

// statement writes the query of one period for some forms: fragments from this
// package's lists, every value as a parameter. limit counts rows.
func (q *Query) statement(forms []form, groupBy []Dimension, in period, agencies []string, limit int) *statement {
	s := &statement{
		q: q, groupBy: groupBy, agencies: len(agencies) > 0, Limit: limit,
		parameters: clickhouse.Parameters{"tz": q.zone.String(), "agencies": arrayParameter(agencies)},
	}
	for _, d := range groupBy {
		s.Names = append(s.Names, "by_"+d.Name)
	}
	s.Names = append(s.Names, "currency")
	s.GroupNames, s.OrderBy = strings.Join(s.Names, ", "), strings.Join(s.Names, ", ")
	for i := range columns {
		if slices.ContainsFunc(forms, func(f form) bool { return slices.Contains(f.figures, i) }) {
			s.figures, s.Figures = append(s.figures, i), append(s.Figures, "figure_"+columns[i].Name)
		}
	}
	// Several branches, or one in several pieces, are added up once more.
	if len(forms) > 1 || forms[0].of == ofClicks && len(q.pieces(groupBy, in)) > 1 {
		s.part = "_part"
	}
	for _, f := range forms {
		s.Branches = append(s.Branches, f.branches(s, in)...)
	}
	return s
}

// figures are the columns that have to be added up for those that are asked for.
func (q *Query) figures() []int {
	var added []int
	for i := range columns {
		if c := &columns[i]; !c.isRatio() && c.of&q.known != 0 && q.needs(c.Name) {
			added = append(added, i)
		}
	}
	return added
}

// needs reports whether a column that is added up is asked for, or a part of what is.
func (q *Query) needs(name string) bool {
	if name == hidden {
		return true
	}
	partOf := func(c *Column) bool {
		return c.Name == name || c.over == name || c.under == name || c.Name == "conversions" && name == shared
	}
	for i := range q.columns {
		if partOf(&q.columns[i]) {
			return true
		}
	}
	i, isColumn := figureIndex[q.sortBy]
	return isColumn && partOf(&columns[i])
}

// needed are the kinds of things that the figures are of. Where none is, rows are
// those of everything that is known.
func (q *Query) needed() kinds {
	var of kinds
	for _, i := range q.figures() {
		if columns[i].Name != hidden {
			of |= columns[i].of
		}
	}
	if of == 0 {
		return q.known
	}
	return of
}

// expressions are the figures of a branch: of its own kind by what formula says,
// nothing of the others.
func (s *statement) expressions(own kinds, formula func(*Column) string) []string {
	var all []string
	for _, i := range s.figures {
		c, sql := &columns[i], "0"
		if c.of == own {
			sql = formula(c)
		}
		all = append(all, "toInt64("+sql+") AS figure_"+c.Name+s.part)
	}
	return all
}

// A piece is a part of a period and where it is read from.
type piece struct {
	period
	exact bool // from the things themselves, not from their sums of 15 minutes
}

// step is what things are summed by.
const step = 15 * time.Minute

// split reads what it can of a period from sums, and the ends that are off their
// steps from the things themselves.
func split(in period) []piece {
	from, to := in.from.Truncate(step), in.to.Truncate(step)
	if from.Before(in.from) {
		from = from.Add(step)
	}
	if !from.Before(to) {
		return []piece{{in, true}}
	}
	pieces := []piece{{period{from, to}, false}}
	if in.from.Before(from) {
		pieces = append(pieces, piece{period{in.from, from}, true})
	}
	if to.Before(in.to) {
		pieces = append(pieces, piece{period{to, in.to}, true})
	}
	return pieces
}

// pieces are those of the clicks in a period. Clicks that came after as_of are left
// out: they come when they are made.
func (q *Query) pieces(groupBy []Dimension, in period) []piece {
	if !q.asOf.IsZero() {
		in.to = earlier(in.to, q.asOf.Truncate(time.Millisecond).Add(time.Millisecond))
		in.to = later(in.to, in.from)
	}
	if q.source(groupBy) == byRow {
		return []piece{{in, true}}
	}
	return split(in)
}

func (s *statement) ofClicks(in period) []branch {
	var branches []branch
	for _, p := range s.q.pieces(s.groupBy, in) {
		from := s.q.source(s.groupBy)
		if p.exact {
			from = byRow
		}
		b := s.branch(tables[from], ofClicks, p.period)
		b.Figures = s.expressions(ofClicks, func(c *Column) string {
			if from == byRow {
				return c.rows
			}
			return c.sql
		})
		branches = append(branches, b)
	}
	return branches
}

func (s *statement) ofActions(in period) []branch {
	all := branch{Form: "actions", Names: s.Names, GroupNames: s.GroupNames}
	all.Figures = s.expressions(ofActions, func(c *Column) string { return c.sql })
	pieces := split(in)
	if !s.q.asOf.IsZero() {
		pieces = []piece{{in, true}}
	}
	for _, p := range pieces {
		from := table{"action_sums", "bucket"}
		if p.exact {
			from = table{"entries", "event_time"}
		}
		b := s.branch(from, ofActions, p.period)
		b.Entries, b.OfAgency = p.exact, "0"
		if s.agencies {
			b.OfAgency = "max(campaign_id IN {agencies:Array(String)})"
		}
		if p.exact {
			b.Conditions = append(b.Conditions, "state != ''")
		} else {
			b.Conditions = append(b.Conditions, "advertiser_id != ''")
		}
		b.Conditions = append(b.Conditions, s.before("at")...)
		all.Spans = append(all.Spans, b)
	}
	return []branch{all}
}

// ofShared counts the orders that several actions share, each once a row.
func (s *statement) ofShared(in period) []branch {
	b := s.branch(table{"shared_orders", "event_time"}, ofActions, in)
	b.Figures = s.expressions(ofActions, func(c *Column) string {
		if c.Name == "conversions" || c.Name == shared {
			return "uniqExact(conversion_id)"
		}
		return "0"
	})
	b.Conditions = append(b.Conditions, s.before("created_at")...)
	return []branch{b}
}

func (s *statement) ofPosts(in period) []branch {
	b := s.branch(table{"posts", "posted"}, ofPosts, in)
	b.Form = "posts"
	b.Figures = s.expressions(ofPosts, func(c *Column) string { return c.sql })
	b.Told = strings.Join(s.before("told_at"), "")
	return []branch{b}
}

// before is the condition that something was there as of the time that is asked for.
func (s *statement) before(column string) []string {
	if s.q.asOf.IsZero() {
		return nil
	}
	s.parameters["as_of"] = clickHouseTime(s.q.asOf)
	return []string{column + " <= {as_of:DateTime64(3, 'UTC')}"}
}

// branch reads a table by the groupings, and by the filters that are of its kind.
func (s *statement) branch(from table, of kinds, in period) branch {
	number := strconv.Itoa(len(s.parameters))
	b := branch{Table: from.name, Time: from.time, From: "from" + number, To: "to" + number, Conditions: scopeConditions(s.q.scope, s.parameters)}
	s.parameters[b.From], s.parameters[b.To] = clickHouseTime(in.from), clickHouseTime(in.to)
	var keys []string
	for _, d := range s.groupBy {
		b.Groupings = append(b.Groupings, "CAST("+d.text(from.time)+" AS String) AS by_"+d.Name)
		keys = append(keys, d.key(from.time))
	}
	b.Groupings = append(b.Groupings, "CAST(currency AS String) AS currency")
	b.GroupBy = strings.Join(append(keys, "currency"), ", ")
	for i, f := range s.q.filters {
		if f.dimension.known&of == 0 {
			continue
		}
		name := "filter" + strconv.Itoa(i)
		s.parameters[name] = arrayParameter(f.values)
		b.Conditions = append(b.Conditions, f.dimension.key(from.time)+" IN {"+name+":Array(String)}")
	}
	return b
}

// sorted has the rows sorted by the asked field, then by every grouping, so that the
// same question has the same answer row by row.
func (s *statement) sorted() *statement {
	if len(s.groupBy) == 0 {
		return s
	}
	expression := "currency"
	if i, isColumn := figureIndex[s.q.sortBy]; isColumn {
		expression = columns[i].order(s.q)
	}
	for _, d := range s.groupBy {
		if d.Field == s.q.sortBy {
			expression = "by_" + d.Name
		}
	}
	if s.q.falling {
		expression += " DESC"
	}
	s.OrderBy = expression + ", " + s.GroupNames
	return s
}

// order is the expression that sorts by a figure. What a row does not show comes
// last, so that its place says nothing either.
func (c *Column) order(q *Query) string {
	if c.knownOf()&^q.known != 0 || c.sight == costSight && q.scope.CreatorID != "" {
		return "NULL"
	}
	expression := "figure_" + c.Name
	if c.isRatio() {
		expression = "figure_" + c.over + " / nullIf(figure_" + c.under + ", 0)"
	}
	if c.sight == payoutSight {
		expression = "if(figure_" + hidden + " > 0, NULL, " + expression + ")"
	}
	return expression
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

func clickHouseTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// arrayParameter writes values as the text of an Array(String) parameter.
func arrayParameter(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

func (r *Reports) fill(s *statement) (string, error) {
	var text strings.Builder
	if err := r.performance.Execute(&text, s); err != nil {
		return "", fmt.Errorf("write the report's query: %w", err)
	}
	return text.String(), nil
}
