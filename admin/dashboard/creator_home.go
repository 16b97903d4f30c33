package dashboard

import (
	"math/big"
	"slices"
	"sync"
	"time"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

// A creatorHomeView is what a creator looks at first: what it is owed, when it
// comes, and how its links do.
type creatorHomeView struct {
	Wallets  []wallet
	Balances []ledger.Balance // by advertiser, where there are several
	Upcoming block[[]payday]
	Now      block[figures]
	Before   figures
	Chart    *chart
	Currency string // of the chart
	Tasks    []catalog.Task
	Names    *names
}

// A wallet is what a creator has in one currency, of all advertisers.
type wallet struct {
	Currency                             string
	Held, Pending, Locked, Payable, Paid string
}

func showCreatorHome(v *visit) (any, error) {
	view := creatorHomeView{Names: v.names()}
	balances, err := v.Ledger.Balances(v.Context(), v.ledgerScope(), v.Creator.ID)
	if err != nil {
		return nil, err
	}
	view.Balances, view.Wallets = balances, walletsOf(balances)
	tasks, err := v.Catalog.Tasks(v.Context(), v.Session.Scope, catalog.TaskFilter{Status: catalog.TaskOpen}, catalog.Page{Limit: 6})
	if err != nil {
		return nil, err
	}
	view.Tasks = tasks.Items
	if view.Currency = v.Query("currency"); !slices.ContainsFunc(view.Wallets, func(w wallet) bool { return w.Currency == view.Currency }) {
		view.Currency = ""
		if len(view.Wallets) > 0 {
			view.Currency = view.Wallets[0].Currency
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		days, err := v.Reports.Upcoming(v.Context(), v.reportScope(), v.Zone)
		view.Upcoming = try(v, "upcoming pay", paydays(days, v.Now), err)
	})
	stepwise := reports.Question{GroupBy: []string{v.Period.Grouping()}}
	wg.Go(func() {
		now, err := v.ask(v.Period, stepwise)
		view.Now = try(v, "figures", now, err)
	})
	wg.Go(func() {
		if v.Period.Compare {
			view.Before, _ = v.ask(v.Period.Before(), stepwise) // without it there is no comparison
		}
	})
	wg.Wait()
	view.Chart = creatorChart(v, view.Currency, view.Now.Value, view.Before)
	return view, nil
}

// creatorChart draws clicks and, where the creator has earned anything, earnings, of
// figures by step.
func creatorChart(v *visit, currency string, now, before figures) *chart {
	lines := []line{{Figure: "clicks", Label: "Clicks", Group: "clicks", Color: 1}}
	if currency != "" {
		lines = append(lines, line{Figure: "payout", Label: "Earnings", Group: "money", Color: 3, Money: true})
	}
	c := &chart{Title: "Clicks and earnings", Step: human(v.Period.Grouping())}
	for _, name := range v.Period.steps() {
		c.Labels = append(c.Labels, stepLabel(name, v.Zone))
	}
	for _, l := range lines {
		s := series{Label: l.Label, Group: l.Group, Color: l.Color}
		if l.Money {
			s.Currency = currency
		}
		s.Points = pointsOf(byStep(now), v.Period.steps(), l, currency, v.Now, v.Zone)
		c.Series = append(c.Series, s)
		if before.Report == nil {
			continue
		}
		s.Label, s.Dashed = l.Label+", "+v.Period.BeforeLabel(), true
		s.Points = pointsOf(byStep(before), v.Period.Before().steps(), l, currency, v.Now, v.Zone)
		for len(s.Points) < len(c.Labels) { // the period before may have a step less
			s.Points = append(s.Points, point{Text: "–"})
		}
		s.Points = s.Points[:len(c.Labels)]
		c.Series = append(c.Series, s)
	}
	return c
}

// byStep are rows by the beginning of their step.
func byStep(f figures) map[string][]figureRow {
	steps := map[string][]figureRow{}
	for _, row := range f.Rows {
		steps[row.Key] = append(steps[row.Key], row)
	}
	return steps
}

// walletsOf adds balances up by currency.
func walletsOf(balances []ledger.Balance) (wallets []wallet) {
	for _, b := range balances {
		i := slices.IndexFunc(wallets, func(w wallet) bool { return w.Currency == b.Currency })
		if i < 0 {
			i = len(wallets)
			wallets = append(wallets, wallet{Currency: b.Currency})
		}
		w := &wallets[i]
		for to, from := range map[*string]string{&w.Held: b.Held, &w.Pending: b.Pending, &w.Locked: b.Locked, &w.Payable: b.Payable, &w.Paid: b.Paid} {
			*to = sumOf(b.Currency, *to, from)
		}
	}
	return wallets
}

// sumOf adds decimals of a currency, exactly. Empty ones are nothing.
func sumOf(currency string, decimals ...string) string {
	var sum int64
	for _, text := range decimals {
		if minor, err := attribution.ParseMoney(attribution.Decimal(text), currency); err == nil {
			sum += minor
		}
	}
	return attribution.FormatMoney(sum, currency)
}

// isMore reports whether a decimal is greater than nothing.
func isMore(text string) bool {
	value, ok := new(big.Rat).SetString(text)
	return ok && value.Sign() > 0
}

// A payday is when something becomes payable, in words.
type payday struct {
	When, Currency, Locked, Pending string
}

// maxPaydays is how many days are shown one by one; more are shown by week.
const maxPaydays = 6

// paydays writes the days, or the weeks where there are many.
func paydays(days []reports.Upcoming, now time.Time) (rows []payday) {
	name := dayName
	if len(days) > maxPaydays {
		name = func(day string) string { return weekName(day, now) }
	}
	for _, d := range days {
		when := "Once it is approved"
		if d.Day != "" {
			when = name(d.Day)
		}
		i := slices.IndexFunc(rows, func(p payday) bool { return p.When == when && p.Currency == d.Currency })
		if i < 0 {
			rows = append(rows, payday{when, d.Currency, d.Locked, d.Pending})
			continue
		}
		rows[i].Locked, rows[i].Pending = sumOf(d.Currency, rows[i].Locked, d.Locked), sumOf(d.Currency, rows[i].Pending, d.Pending)
	}
	return rows
}
