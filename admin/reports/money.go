package reports

import (
	"math/big"

	"tributary/attribution"
)

// What may not be seen by everybody.
type sight int

const (
	everybody   sight = iota
	costSight         // not by creators
	payoutSight       // not by advertisers where an agency has a margin
)

// A sum is a figure added up from actions.
type sum struct {
	name  string
	sql   string
	money bool // in minor units of the row's currency
	sight sight
	inner bool // no column of its own, but a part of others
}

// An adjustment corrects an action and is no further one: it counts in money only.
const (
	isCounted = "state IN ('pending', 'locked', 'payable', 'paid')"
	isAction  = "referral != 'adjustment'"
)

var actionStates = []string{"held", "pending", "locked", "payable", "paid", "reversed"}

// actionSums are the figures of actions, by event time. actions, payout, cost and
// sale_amount are of those pending to paid; held and reversed stand apart.
// conversions are those credited, whatever became of their actions.
var actionSums = func() []sum {
	sums := []sum{
		{name: "conversions", sql: "uniqExactIf(conversion_id, conversion_id != '')"},
		{name: "actions", sql: "countIf(" + isCounted + " AND " + isAction + ")"},
	}
	for _, state := range actionStates {
		sums = append(sums, sum{name: "actions_" + state, sql: "countIf(state = '" + state + "' AND " + isAction + ")"})
	}
	sums = append(sums,
		sum{name: "link_actions", sql: "countIf(" + isCounted + " AND referral = 'click')"},
		sum{name: "code_actions", sql: "countIf(" + isCounted + " AND referral = 'code')"},
		sum{name: "sale_amount", sql: "sumIf(amount_minor, " + isCounted + ")", money: true},
		sum{name: "reversed_amount", sql: "sumIf(amount_minor, state = 'reversed')", money: true},
		sum{name: "payout", sql: "sumIf(payout_minor, " + isCounted + ")", money: true, sight: payoutSight},
	)
	for _, state := range actionStates {
		sums = append(sums, sum{name: "payout_" + state, sql: "sumIf(payout_minor, state = '" + state + "')", money: true, sight: payoutSight})
	}
	return append(sums,
		sum{name: "task_payout", sql: "sumIf(payout_minor, " + isCounted + " AND referral = 'task')", money: true, sight: payoutSight},
		sum{name: "cost", sql: "sumIf(cost_minor, " + isCounted + ")", money: true, sight: costSight},
		sum{name: "orders", sql: "uniqExactIf(conversion_id, conversion_id != '' AND " + isCounted + ")", inner: true},
		sum{name: "settled_or_reversed", sql: "countIf(state != 'held' AND " + isAction + ")", inner: true},
		sum{name: "hidden", sql: "countIf(has({agencies:Array(String)}, toString(campaign_id)))", inner: true},
	)
}()

// A ratio is a figure worked out from two others; null where there is nothing to
// divide by.
type ratio struct {
	name, over, under string
	money             bool // an amount of the row's currency for each of under
	sight             sight
}

var ratios = []ratio{
	{name: "average_order", over: "sale_amount", under: "orders", money: true},
	{name: "conversion_rate", over: "actions", under: "unique_clicks"},
	{name: "epc", over: "payout", under: "clicks", money: true, sight: payoutSight},
	{name: "cpa", over: "cost", under: "actions", money: true, sight: costSight},
	{name: "roas", over: "sale_amount", under: "cost", sight: costSight},
	{name: "reversal_rate", over: "actions_reversed", under: "settled_or_reversed"},
}

// rateDigits is how many decimals rates are written with.
const rateDigits = 4

// Value is a figure of a row as it is written: uint64 for a count, text for money
// and rates, nil for what is not known of such a row or not for the asker.
func (r *Report) Value(row *Row, name string) any {
	for i, c := range clickColumns {
		if c.name == name {
			if !r.clicks {
				return nil
			}
			return row.Figures[i]
		}
	}
	if !r.actions {
		return nil
	}
	for i, s := range actionSums {
		switch {
		case s.name != name:
		case !r.shows(row, s.sight):
			return nil
		case s.money:
			return attribution.FormatMoney(row.Sums[i], row.Currency)
		default:
			return uint64(row.Sums[i])
		}
	}
	for _, q := range ratios {
		if q.name == name && r.shows(row, q.sight) {
			return r.divide(row, q)
		}
	}
	return nil
}

func (r *Report) shows(row *Row, s sight) bool {
	switch s {
	case costSight:
		return !r.creator
	case payoutSight:
		return row.sum("hidden") == 0
	}
	return true
}

func (r *Report) divide(row *Row, q ratio) any {
	if !r.clicks && (q.under == "clicks" || q.under == "unique_clicks") {
		return nil
	}
	over, under := row.sum(q.over), row.sum(q.under)
	if under == 0 {
		return nil
	}
	quotient := big.NewRat(over, under)
	if q.money {
		whole, _ := new(big.Int).SetString(quotient.FloatString(0), 10) // rounds half away from zero
		return attribution.FormatMoney(whole.Int64(), row.Currency)
	}
	return quotient.FloatString(rateDigits)
}

// sum is a figure that was added up, by name.
func (row *Row) sum(name string) int64 {
	for i, s := range actionSums {
		if s.name == name {
			return row.Sums[i]
		}
	}
	for i, c := range clickColumns {
		if c.name == name {
			return int64(row.Figures[i])
		}
	}
	return 0
}

// orderBy is the expression that sorts by a figure. What a row does not show
// comes last, so that its place says nothing either.
func orderBy(name string) string {
	for _, q := range ratios {
		if q.name == name {
			return guarded("figure_"+q.over+" / nullIf(figure_"+q.under+", 0)", q.sight)
		}
	}
	for _, s := range actionSums {
		if s.name == name {
			return guarded("figure_"+name, s.sight)
		}
	}
	return "figure_" + name
}

func guarded(expression string, s sight) string {
	if s == payoutSight {
		return "if(figure_hidden > 0, NULL, " + expression + ")"
	}
	return expression
}
