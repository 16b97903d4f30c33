package dashboard

import (
	"time"

	"tributary/attribution"
	"tributary/ledger"
)

// An owed is what an advertiser owes its creators in one currency: how certain it
// is, and when it is to be paid.
type owed struct {
	Currency                                 string
	Held, Pending, Locked, Payable, InPayout string
	Total                                    string // of all but held
	Next                                     []dueOn
	Unscheduled                              string // pending without a day: posts earn until they are approved
}

// A dueOn is what becomes payable on a day, or later than all of them.
type dueOn struct {
	Day          time.Time
	Later        bool
	Certain, Sum string // what is locked, and all
	Actions      int64
	certain, all int64
}

// unscheduled sums what has no day yet.
const unscheduled = "unscheduled"

// maxDueDays is how many days are told apart.
const maxDueDays = 5

// owedOf adds up what is due, by currency and by day.
func owedOf(dues []ledger.Due, v *visit) []owed {
	var all []owed
	sums := map[string]int64{}
	var days []dueOn
	flush := func() {
		if n := len(all); n > 0 {
			all[n-1].finish(sums, days)
		}
		clear(sums)
		days = nil
	}
	for _, d := range dues {
		if n := len(all); n == 0 || all[n-1].Currency != d.Currency {
			flush()
			all = append(all, owed{Currency: d.Currency})
		}
		sums[d.State] += d.Minor
		switch {
		case d.State != ledger.Pending && d.State != ledger.Locked:
		case d.PayAt == 0:
			sums[unscheduled] += d.Minor
		default:
			days = addDue(days, d, v.Zone)
		}
	}
	flush()
	return all
}

func (o *owed) finish(sums map[string]int64, days []dueOn) {
	write := func(minor int64) string { return attribution.FormatMoney(minor, o.Currency) }
	o.Held, o.Pending, o.Locked = write(sums[ledger.Held]), write(sums[ledger.Pending]), write(sums[ledger.Locked])
	o.Payable, o.InPayout = write(sums[ledger.Payable]), write(sums[ledger.StateInPayout])
	o.Total = write(sums[ledger.Pending] + sums[ledger.Locked] + sums[ledger.Payable] + sums[ledger.StateInPayout])
	o.Unscheduled = write(sums[unscheduled])
	for i := range days {
		if i >= maxDueDays {
			last := &days[maxDueDays-1]
			last.Later = true
			last.certain, last.all, last.Actions = last.certain+days[i].certain, last.all+days[i].all, last.Actions+days[i].Actions
		}
	}
	o.Next = days[:min(len(days), maxDueDays)]
	for i := range o.Next {
		o.Next[i].Certain, o.Next[i].Sum = write(o.Next[i].certain), write(o.Next[i].all)
	}
}

// addDue adds to the day it is due on. Days stay in their order.
func addDue(days []dueOn, d ledger.Due, zone *time.Location) []dueOn {
	at := d.PayAt.Time().In(zone)
	on := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone)
	i := 0
	for i < len(days) && days[i].Day.Before(on) {
		i++
	}
	if i == len(days) || !days[i].Day.Equal(on) {
		days = append(days[:i], append([]dueOn{{Day: on}}, days[i:]...)...)
	}
	if d.State == ledger.Locked {
		days[i].certain += d.Minor
	}
	days[i].all += d.Minor
	days[i].Actions += d.Actions
	return days
}
