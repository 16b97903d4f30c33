package reports

import "strings"

// A Unit is what a column's figures are written in.
type Unit string

// The units: a whole number, a decimal amount of the row's currency, and a decimal
// with four digits (0.0312 is 3.12 %).
const (
	Count Unit = "count"
	Money Unit = "money"
	Rate  Unit = "rate"
)

// A Column is one figure of a report's rows, and what it means.
type Column struct {
	Name       string
	Unit       Unit
	Formula    string // of other columns; empty: it is counted or added up
	Definition string

	sight sight
	inner bool // no column of its own, but a part of others

	// How it comes about: added up of one kind of thing, or one figure by another.
	of          kinds
	sql         string // over the kind's rows; of clicks, over sums of 15 minutes
	rows        string // over the clicks themselves
	over, under string
	times       int64 // what over is multiplied by; 0: 1
}

// kinds are things that figures are of.
type kinds uint8

const (
	ofClicks kinds = 1 << iota
	ofActions
	ofPosts
)

// What may not be seen by everybody.
type sight int

const (
	everybody   sight = iota
	costSight         // not by creators
	payoutSight       // not by advertisers where an agency has a margin
)

var (
	invalidVerdicts = []string{"test", "probe", "prefetch", "preview", "bot", "datacenter", "rate"}
	verdictMeanings = map[string]string{
		"test": "somebody tried the link with _test=1", "probe": "a HEAD request", "prefetch": "a browser that looked ahead",
		"preview": "a link previewer", "bot": "a crawler, a tool, or an empty user agent", "datacenter": "an address of a data center",
		"rate": "too many from one network on one link",
	}
	actionStates  = []string{"held", "pending", "locked", "payable", "paid", "reversed"}
	stateMeanings = map[string]string{
		"held": "held: over budget, or for approval", "pending": "pending: they can still be adjusted and reversed", "locked": "locked: they wait for their payday",
		"payable": "payable: they wait for a payout", "paid": "paid", "reversed": "reversed",
	}
)

// An adjustment corrects an action and is no further one: it counts in money only.
const (
	isCounted = "state IN ('pending', 'locked', 'payable', 'paid')"
	isAction  = "referral != 'adjustment'"
)

// columns are the figures of reports, in the order a file has them.
var columns = func() []Column {
	var all []Column
	add := func(columns ...Column) { all = append(all, columns...) }

	add(
		clickCount("hits", "sum(hits)", "count()", "Requests to tracking links, whatever became of them, by the time of the request."),
		clickCount("clicks", "sum(clicks)", "countIf(verdict = 'valid')", "Hits by people: their verdict is valid."),
		clickCount("unique_clicks", "sum(unique_clicks)", "countIf(verdict = 'valid' AND is_unique = 1)",
			"Clicks that are the first of a visitor on a link in a rolling window of 30 minutes."),
		Column{Name: "invalid_clicks", Unit: Count, Formula: "hits − clicks", Definition: "Hits that are no clicks. The next columns have them by verdict.",
			of: ofClicks, sql: "sum(hits) - sum(clicks)", rows: "countIf(verdict != 'valid')"},
	)
	for _, verdict := range invalidVerdicts {
		add(clickCount("invalid_"+verdict, "sum(invalid_"+verdict+")", "countIf(verdict = '"+verdict+"')",
			"Hits of the verdict "+verdict+": "+verdictMeanings[verdict]+"."))
	}
	add(
		clickCount("platform_mismatch_clicks", "sum(platform_mismatch)",
			"countIf(verdict = 'valid' AND observed_platform != '' AND observed_platform != platform)",
			"Clicks that were seen to come from another platform than the task's: their observed_platform, by referrer and in-app user agent, is known and differs. "+
				"Group by platform and observed_platform to see which."),
		Column{Name: "conversions", Unit: Count, Definition: "Orders and other conversions that were credited, each once in a row, by event time, whatever became of their actions.",
			of: ofActions, sql: "sum(whole)"},
		actionCount("actions", isCounted, "actions_pending + actions_locked + actions_payable + actions_paid",
			"Actions that count, by event time. Held and reversed ones stand apart; an adjustment corrects an action and is no further one."),
	)
	for _, state := range actionStates {
		add(actionCount("actions_"+state, "state = '"+state+"'", "", "Actions that are "+stateMeanings[state]+"."))
	}
	add(
		Column{Name: "link_actions", Unit: Count, Definition: "Actions that a click earned.", of: ofActions, sql: "sumIf(n, " + isCounted + " AND referral = 'click')"},
		Column{Name: "code_actions", Unit: Count, Definition: "Actions that a code earned.", of: ofActions, sql: "sumIf(n, " + isCounted + " AND referral = 'code')"},
		actionMoney("sale_amount", "amount", isCounted, everybody, "", "Amounts of the orders behind actions, as far as they are credited, with adjustments."),
		actionMoney("reversed_amount", "amount", "state = 'reversed'", everybody, "", "Amounts of the orders behind reversed actions."),
		Column{Name: "average_order", Unit: Money, Formula: "sale_amount ÷ orders",
			Definition: "Mean amount of an order. An action with half the credit of an order counts as half an order, to a billionth.", over: "sale_amount", under: "orders_nano", times: 1_000_000_000},
		actionMoney("payout", "payout", isCounted, payoutSight, "payout_pending + payout_locked + payout_payable + payout_paid", "What actions earn their creators, with adjustments."),
	)
	for _, state := range actionStates {
		add(actionMoney("payout_"+state, "payout", "state = '"+state+"'", payoutSight, "", "What creators earn, or earned, by actions that are "+stateMeanings[state]+"."))
	}
	add(
		actionMoney("cost", "cost", isCounted, costSight, "", "What actions cost the advertiser: payout ÷ (1 − margins)."),
		actionMoney("task_payout", "payout", isCounted+" AND referral = 'task'", payoutSight, "", "The part of payout that was paid for tasks as such."),
		postSum("posts", "count()", "", "Posts by the time they were published. Archived ones do not count."),
		postSum("views", "sum(views)", "", "Views of these posts, as last seen."),
		postSum("likes", "sum(likes)", "", "Likes of these posts, as last seen."),
		postSum("shares", "sum(shares)", "", "Shares of these posts, as last seen."),
		postSum("comments", "sum(comments)", "", "Comments on these posts, as last seen."),
		postSum("engagements", "sum(likes + shares + comments)", "likes + shares + comments", "What people did with these posts."),
		ratio("engagement_rate", Rate, "engagements", "views", everybody, "Engagements per view."),
		ratio("conversion_rate", Rate, "actions", "unique_clicks", everybody, "Share of unique clicks that became an action."),
		ratio("epc", Money, "payout", "clicks", payoutSight, "Earnings per click."),
		ratio("cpa", Money, "cost", "actions", costSight, "Cost per action."),
		ratio("roas", Rate, "sale_amount", "cost", costSight, "Return on ad spend: sales for each unit of cost."),
		Column{Name: "reversal_rate", Unit: Rate, Formula: "actions_reversed ÷ (actions + actions_reversed)", Definition: "Share of actions that were reversed.",
			over: "actions_reversed", under: "settled_or_reversed"},
		Column{Name: "new_customer_rate", Unit: Rate, Formula: "actions of new customers ÷ actions whose customer is known",
			Definition: "Share of actions by new customers. Whether a customer is new is what the conversion said, or else whether its customer_id had an earlier sale; where neither is known the action does not count here.",
			over:       "new_customers", under: "known_customers"},

		Column{Name: "orders_nano", inner: true, of: ofActions, sql: "sumIf(orders, " + isCounted + ")"},
		Column{Name: "settled_or_reversed", inner: true, of: ofActions, sql: "sumIf(n, state != 'held' AND " + isAction + ")"},
		Column{Name: "new_customers", inner: true, of: ofActions, sql: "sumIf(new_ones, " + isCounted + ")"},
		Column{Name: "known_customers", inner: true, of: ofActions, sql: "sumIf(known_ones, " + isCounted + ")"},
		Column{Name: hidden, inner: true, of: ofActions, sql: "max(of_agency)"},
		Column{Name: shared, inner: true, of: ofActions, sql: "0"},
	)
	return all
}()

// hidden is the inner column that is above zero where a row has payouts of a
// campaign in which an agency has a margin. shared is the conversions that are
// credited to more than one action: they cannot be added up.
const (
	hidden = "hidden"
	shared = "shared_conversions"
)

func clickCount(name, sums, rows, definition string) Column {
	return Column{Name: name, Unit: Count, Definition: definition, of: ofClicks, sql: sums, rows: rows}
}

func actionCount(name, condition, formula, definition string) Column {
	return Column{Name: name, Unit: Count, Formula: formula, Definition: definition, of: ofActions, sql: "sumIf(n, " + condition + " AND " + isAction + ")"}
}

func actionMoney(name, amount, condition string, s sight, formula, definition string) Column {
	return Column{Name: name, Unit: Money, Formula: formula, Definition: definition, sight: s, of: ofActions, sql: "sumIf(" + amount + ", " + condition + ")"}
}

func postSum(name, sql, formula, definition string) Column {
	return Column{Name: name, Unit: Count, Formula: formula, Definition: definition, of: ofPosts, sql: sql}
}

func ratio(name string, unit Unit, over, under string, s sight, definition string) Column {
	return Column{Name: name, Unit: unit, Formula: over + " ÷ " + under, Definition: definition, sight: s, over: over, under: under}
}

// isRatio says that the column is worked out of two others, and not added up.
func (c *Column) isRatio() bool { return c.over != "" }

// figureIndex is each column's place in columns, and in a Row's figures.
var figureIndex = func() map[string]int {
	places := make(map[string]int, len(columns))
	for i := range columns {
		places[columns[i].Name] = i
	}
	return places
}()

// knownOf are the kinds that must be known for a column to be.
func (c *Column) knownOf() kinds {
	if c.isRatio() {
		return columns[figureIndex[c.over]].of | columns[figureIndex[c.under]].of
	}
	return c.of
}

// Definitions lists the columns and what they mean, in the order a file has them.
func Definitions() []Column {
	var shown []Column
	for _, c := range columns {
		if !c.inner {
			shown = append(shown, c)
		}
	}
	return shown
}

// Columns lists the names of the figures, in the order a file has them.
func Columns() []string {
	var names []string
	for _, c := range Definitions() {
		names = append(names, c.Name)
	}
	return names
}

// describe is a column's definition in one line.
func (c *Column) describe() string {
	if c.Formula == "" {
		return c.Definition
	}
	return strings.TrimSuffix(c.Definition, ".") + ": " + c.Formula + "."
}
