package dashboard

import (
	"strconv"
	"strings"
	"time"

	"tributary/admin/reports"
	"tributary/attribution"
)

// A block is a part of a page that may fail alone.
type block[T any] struct {
	Value  T
	Failed string // why there is no Value; empty when there is one
}

// try makes a block of what a function returns. A fault is logged, and the page
// says what to do.
func try[T any](v *visit, what string, value T, err error) block[T] {
	if err == nil {
		return block[T]{Value: value}
	}
	if p, refused := attribution.AsProblem(err); refused {
		return block[T]{Failed: p.Error()}
	}
	v.Log.Warn("a part of a page failed", "part", what, "path", v.Path(), "error", err)
	return block[T]{Failed: "These figures cannot be read just now. Nothing is lost; try again in a moment."}
}

// figures are the answer to a question, as templates read them.
type figures struct {
	*reports.Report
	Rows, Totals []figureRow
}

// A figureRow is one row of a report. Key is its first grouping, Keys are all.
type figureRow struct {
	Key, Currency string
	Keys          []string
	report        *reports.Report
	row           *reports.Row
}

// Get is a figure by its name in the API: uint64 for a count, text for money and
// rates, nil where it is not known or not for the asker.
func (r figureRow) Get(name string) any {
	if r.row == nil {
		return nil
	}
	return r.report.Value(r.row, name)
}

// Count is a figure that is a count; 0 where it is not known.
func (r figureRow) Count(name string) uint64 {
	n, _ := r.Get(name).(uint64)
	return n
}

// ask answers a question about the period, or about what its filters say, with the
// eyes of the visit; an advertiser's page is about that advertiser.
func (v *visit) ask(p period, q reports.Question) (figures, error) {
	q.From, q.To, q.TZ = p.From.Format(time.RFC3339), p.To.Format(time.RFC3339), v.Zone.String()
	filters := map[string][]string{}
	for name, values := range q.Filters {
		filters[name] = values
	}
	if v.Advertiser.ID != "" {
		filters["advertiser_id"] = []string{v.Advertiser.ID}
	}
	q.Filters = filters
	query, err := reports.NewQuery(v.reportScope(), q, v.Now)
	if err != nil {
		return figures{}, err
	}
	report, err := v.Reports.Performance(v.Context(), query, v.Now)
	if err != nil {
		return figures{}, err
	}
	return figures{report, rowsOf(report, report.Rows), rowsOf(report, report.Totals)}, nil
}

func rowsOf(report *reports.Report, rows []reports.Row) []figureRow {
	out := make([]figureRow, len(rows))
	for i := range rows {
		out[i] = figureRow{Currency: rows[i].Currency, Keys: rows[i].Keys, report: report, row: &rows[i]}
		if len(rows[i].Keys) > 0 {
			out[i].Key = rows[i].Keys[0]
		}
	}
	return out
}

// Total is the totals of a currency; its figures are not known where there are none.
func (f figures) Total(currency string) figureRow {
	for _, row := range f.Totals {
		if row.Currency == currency {
			return row
		}
	}
	return figureRow{Currency: currency}
}

// Sum adds a count up over all currencies.
func (f figures) Sum(name string) (sum uint64) {
	for _, row := range f.Totals {
		sum += row.Count(name)
	}
	return sum
}

// others writes a figure of money in the currencies but one: a page is about one,
// and says what else there is.
func others(f figures, name, but string) string {
	var all []string
	for _, row := range f.Totals {
		if text, known := textOf(row.Get(name)); known && row.Currency != but && row.Currency != "" {
			all = append(all, money(text, row.Currency))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "and " + strings.Join(all, ", ")
}

// fresh says how far the figures reach.
func fresh(f figures) string {
	if f.Report == nil {
		return ""
	}
	if f.Lag < 5*time.Second {
		return "Figures are up to the moment."
	}
	return "Figures hold everything received until " + f.Lag.Round(time.Second).String() + " ago."
}

// A change is how a figure differs from the period before.
type change struct {
	Percent string // "12%"; empty where there was nothing before
	Up      bool
	None    bool // it is the same
}

// changeOf compares two figures, counts or decimals alike.
func changeOf(now, before any) change {
	a, ok1 := ratOf(now)
	b, ok2 := ratOf(before)
	if !ok1 || !ok2 || b.Sign() == 0 {
		return change{None: ok1 && ok2 && a.Sign() == 0}
	}
	c := change{Up: a.Cmp(b) > 0, None: a.Cmp(b) == 0}
	difference := a.Sub(a, b)
	difference.Quo(difference.Abs(difference), b.Abs(b))
	whole, _ := strconv.ParseFloat(difference.FloatString(4), 64) // a rounded share for display, no amount
	switch whole *= 100; {
	case whole >= 1000:
		c.Percent = ">999%"
	case whole < 10:
		c.Percent = strconv.FormatFloat(whole, 'f', 1, 64) + "%"
	default:
		c.Percent = strconv.FormatFloat(whole, 'f', 0, 64) + "%"
	}
	return c
}
