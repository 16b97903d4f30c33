package dashboard

import (
	"fmt"
	"strconv"
	"time"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
)

// A burn is how a campaign's budget goes down, and when it may be used up.
type burn struct {
	Chart    *chart
	Sentence string
}

// paceDays is how many whole days the pace is taken from.
const paceDays = 7

// burnDown adds up a campaign's cost day by day since it began. It is nil without
// a budget, or before the beginning.
func (v *visit) burnDown(c catalog.Campaign) (*burn, error) {
	if c.Budget == nil || c.Budget.Amount == nil {
		return nil, nil
	}
	start := c.StartsAt.Time().In(v.Zone)
	life := period{Name: "life", From: time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, v.Zone), To: v.Period.To}
	today := time.Date(v.Now.In(v.Zone).Year(), v.Now.In(v.Zone).Month(), v.Now.In(v.Zone).Day(), 0, 0, 0, 0, v.Zone)
	life.To = today.AddDate(0, 0, 1)
	if !life.From.Before(life.To) || life.Days() > maxPeriodDays {
		return nil, nil
	}
	left, err := attribution.ParseMoney(attribution.Decimal(*c.Budget.Amount), c.Currency)
	if err != nil {
		return nil, fmt.Errorf("read the budget: %w", err)
	}
	answer, err := v.ask(life, reports.Question{GroupBy: []string{"day"}, Filters: map[string][]string{"campaign_id": {c.ID}, "currency": {c.Currency}}, Limit: maxPeriodDays + 1, Columns: []string{"cost"}})
	if err != nil {
		return nil, err
	}
	spent := map[string]int64{}
	for _, row := range answer.Rows {
		text, known := textOf(row.Get("cost"))
		if !known {
			continue
		}
		if spent[row.Key], err = attribution.ParseMoney(attribution.Decimal(text), c.Currency); err != nil {
			return nil, fmt.Errorf("read the cost of %s: %w", row.Key, err)
		}
	}
	b := &burn{Chart: &chart{Title: "Budget that is left", Step: "Day"}}
	actual := series{Label: "Left", Color: 1, Currency: c.Currency}
	var lately int64
	for at := life.From; at.Before(life.To); at = at.AddDate(0, 0, 1) {
		cost := spent[at.Format(time.DateOnly)]
		left -= cost
		if at.Before(today) && !at.Before(today.AddDate(0, 0, -paceDays)) {
			lately += cost
		}
		b.Chart.Labels = append(b.Chart.Labels, at.Format("2 Jan"))
		actual.Points = append(actual.Points, moneyPoint(left, c.Currency))
	}
	b.project(c, actual, left, lately, today, v)
	return b, nil
}

func moneyPoint(minor int64, currency string) point {
	text := attribution.FormatMoney(minor, currency)
	return point{text, money(text, currency)}
}

// project goes on at the pace of the last days, to the end of the campaign or of
// the budget.
func (b *burn) project(c catalog.Campaign, actual series, left, lately int64, today time.Time, v *visit) {
	projected := series{Label: "At the pace of the last " + strconv.Itoa(paceDays) + " days", Color: 2, Dashed: true, Currency: c.Currency}
	for range len(actual.Points) - 1 {
		projected.Points = append(projected.Points, point{Text: "–"})
	}
	projected.Points = append(projected.Points, actual.Points[len(actual.Points)-1])
	end := c.EndsAt.Time().In(v.Zone)
	b.Sentence = "Nothing was spent in the last " + strconv.Itoa(paceDays) + " days."
	if lately > 0 {
		perDay := lately / paceDays
		b.Sentence = "At " + money(attribution.FormatMoney(perDay, c.Currency), c.Currency) + " a day, the budget lasts beyond the campaign's end on " + end.Format("2 Jan 2006") + "."
		for day := 1; ; day++ {
			at := today.AddDate(0, 0, day)
			after := left - lately*int64(day)/paceDays
			if at.After(end) || day > maxPeriodDays {
				break
			}
			b.Chart.Labels = append(b.Chart.Labels, at.Format("2 Jan"))
			actual.Points = append(actual.Points, point{Text: "–"})
			projected.Points = append(projected.Points, moneyPoint(max(0, after), c.Currency))
			if after <= 0 {
				b.Sentence = "At " + money(attribution.FormatMoney(perDay, c.Currency), c.Currency) + " a day, the budget is used up about " + at.Format("2 Jan 2006") + "."
				break
			}
		}
	}
	if left <= 0 {
		b.Sentence = "The budget is used up."
	}
	b.Chart.Series = []series{actual, projected}
}
