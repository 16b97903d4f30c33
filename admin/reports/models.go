package reports

import (
	"cmp"
	"context"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
)

// Deciding decides stored conversions under every model.
type Deciding interface {
	UnderModels(ctx context.Context, conversionIDs []string, with func(model string, credits []attribution.Credit) error) error
}

// MaxModelled is the most conversions that are decided for one answer: they are
// decided one by one, from the database.
const MaxModelled = 50_000

// creditDigits is how many decimals a sum of credits has. Each conversion's credits
// are rounded by largest remainder, so that they sum to one.
const creditDigits = 6

// A ModelFigures is what a group has under one model, before caps and budget,
// refunds and reversals.
type ModelFigures struct {
	Credit     string  `json:"credit" doc:"How many conversions, shares included"`
	Actions    int64   `json:"actions" doc:"How many credits"`
	SaleAmount string  `json:"sale_amount"`
	Payout     *string `json:"payout" doc:"Null where it is not for the asker"`
}

// A ModelRow is a group under every model, side by side.
type ModelRow struct {
	Keys     []string // in the order of the groupings
	Currency string
	Models   map[string]ModelFigures
}

// A ModelsReport compares the models. The models credit the same conversions: the
// credits of the totals are equal under every model, and so are the sale amounts
// where the campaigns that compete for a conversion have one currency.
type ModelsReport struct {
	Groupings   []Dimension
	Conversions int64 // that were decided
	Rows        []ModelRow
	Totals      []ModelRow
	DataThrough time.Time
	Lag         time.Duration
}

var (
	modelFilters   = []string{"advertiser_id", "campaign_id", "creator_id", "task_id", "platform", "event"}
	modelGroupings = []string{"campaign", "creator", "platform", "task"}
)

// Models decides the conversions of a period under every model.
func (r *Reports) Models(ctx context.Context, scope Scope, asked Narrowing, groupBy []string, deciding Deciding, now time.Time) (*ModelsReport, error) {
	var check attribution.Checker
	n := asked.check(&check, scope, now, modelFilters...)
	if len(groupBy) == 0 {
		groupBy = []string{"campaign"}
	}
	answer := &ModelsReport{DataThrough: r.freshness.DataThrough(now), Groupings: checkGroupings(&check, groupBy)}
	for _, name := range groupBy {
		check.Require(slices.Contains(modelGroupings, name), "query.group_by", "must be of: %s", strings.Join(modelGroupings, " "))
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	answer.Lag = max(0, now.Sub(answer.DataThrough))
	agencies, err := r.agencies(ctx, scope)
	if err != nil {
		return nil, err
	}
	ids, err := r.modelled(ctx, &n)
	if err != nil {
		return nil, err
	}
	answer.Conversions = int64(len(ids))
	rows, totals := modelSums{}, modelSums{}
	err = deciding.UnderModels(ctx, ids, func(model string, credits []attribution.Credit) error {
		for i, share := range shareOut(credits) {
			c := &credits[i]
			if !n.keeps(c) {
				continue
			}
			hidden := slices.Contains(agencies, c.CampaignID)
			rows.add(keysOf(c, answer.Groupings), c, model, share, hidden)
			totals.add(nil, c, model, share, hidden)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	answer.Rows, answer.Totals = rows.rows(), totals.rows()
	return answer, nil
}

// modelled finds the conversions in question, and refuses when there are too many.
func (r *Reports) modelled(ctx context.Context, n *narrowed) ([]string, error) {
	parameters := n.parameters()
	conditions, credited := n.ofConversions(parameters)
	touched := n.conditions(parameters, func(name string) string {
		switch name {
		case "campaign_id", "creator_id", "task_id", "platform":
			return strings.TrimSuffix(name, "_id")
		}
		return ""
	})
	statement, err := schema.ClickHouseStatement("models", struct {
		Conditions, Credited, Touched []string
		Limit                         int
	}{conditions, credited, touched, MaxModelled + 1})
	if err != nil {
		return nil, err
	}
	var ids []string
	err = r.each(ctx, "the conversions to decide", statement, parameters, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	if err == nil && len(ids) > MaxModelled {
		var check attribution.Checker
		check.Add("query.from", "the period has more than %d conversions, which are decided one by one: ask for a shorter one, or narrow it by a filter", MaxModelled)
		err = check.Err()
	}
	return ids, err
}

// keeps reports whether a credit is asked for and the asker's.
func (n *narrowed) keeps(c *attribution.Credit) bool {
	if n.scope.CreatorID != "" && n.scope.CreatorID != c.CreatorID {
		return false
	}
	for name, value := range map[string]string{"campaign_id": c.CampaignID, "creator_id": c.CreatorID, "task_id": c.TaskID, "platform": c.Platform} {
		if values, given := n.filters[name]; given && !slices.Contains(values, value) {
			return false
		}
	}
	return true
}

func keysOf(c *attribution.Credit, groupings []Dimension) []string {
	keys := make([]string, len(groupings))
	for i, d := range groupings {
		switch d.Name {
		case "campaign":
			keys[i] = c.CampaignID
		case "creator":
			keys[i] = c.CreatorID
		case "platform":
			keys[i] = c.Platform
		case "task":
			keys[i] = c.TaskID
		}
	}
	return keys
}

const creditUnit = 1_000_000 // of creditDigits

// shareOut writes the shares of a conversion in parts that sum to creditUnit:
// rounded down, and what is left to those that lost most.
func shareOut(credits []attribution.Credit) []int64 {
	parts := make([]int64, len(credits))
	rests := make([]*big.Rat, len(credits))
	order := make([]int, len(credits))
	left := int64(creditUnit)
	for i := range credits {
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(credits[i].Share.Num), big.NewInt(creditUnit)), big.NewInt(credits[i].Share.Den))
		whole := new(big.Int).Quo(exact.Num(), exact.Denom())
		parts[i], order[i] = whole.Int64(), i
		rests[i] = exact.Sub(exact, new(big.Rat).SetInt(whole))
		left -= parts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return rests[b].Cmp(rests[a]) })
	for _, i := range order[:min(left, int64(len(order)))] {
		parts[i]++
	}
	return parts
}

// modelSums are the figures of groups, by keys and currency.
type modelSums map[string]*modelSum

type modelSum struct {
	keys     []string
	currency string
	hidden   bool // a payout in it is not for the asker
	models   map[string]*modelTotal
}

type modelTotal struct{ credit, actions, amount, payout int64 }

func (s modelSums) add(keys []string, c *attribution.Credit, model string, share int64, hidden bool) {
	name := strings.Join(append(slices.Clone(keys), c.Currency), "\x00")
	sum := s[name]
	if sum == nil {
		sum = &modelSum{keys: keys, currency: c.Currency, models: map[string]*modelTotal{}}
		for _, model := range ledger.Models() {
			sum.models[model] = &modelTotal{}
		}
		s[name] = sum
	}
	sum.hidden = sum.hidden || hidden
	t := sum.models[model]
	t.credit, t.actions, t.amount, t.payout = t.credit+share, t.actions+1, t.amount+c.AmountMinor, t.payout+c.IntendedMinor
}

// rows are the groups in the order of their keys and currencies.
func (s modelSums) rows() []ModelRow {
	sums := slices.SortedFunc(maps.Values(s), func(a, b *modelSum) int {
		return cmp.Or(slices.Compare(a.keys, b.keys), strings.Compare(a.currency, b.currency))
	})
	rows := make([]ModelRow, len(sums))
	for i, sum := range sums {
		rows[i] = ModelRow{Keys: sum.keys, Currency: sum.currency, Models: map[string]ModelFigures{}}
		for model, t := range sum.models {
			figures := ModelFigures{
				Credit: big.NewRat(t.credit, creditUnit).FloatString(creditDigits), Actions: t.actions,
				SaleAmount: attribution.FormatMoney(t.amount, sum.currency),
			}
			if !sum.hidden {
				payout := attribution.FormatMoney(t.payout, sum.currency)
				figures.Payout = &payout
			}
			rows[i].Models[model] = figures
		}
	}
	return rows
}
