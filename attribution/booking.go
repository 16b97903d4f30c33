package attribution

import (
	"strconv"
	"time"
)

// The reasons an action carries, in the order they are listed.
const (
	ActionCapped     = "capped"
	ActionOverBudget = "over_budget"
	ActionUnsigned   = "unsigned"
)

// A CapUse is a cap and what counts against it already: what was paid, or how
// many actions were, in its scope and period, without reversed ones.
type CapUse struct {
	Cap  Cap
	Used int64
}

// A Booking is what an action is worth once caps and budget had their say.
type Booking struct {
	PayoutMinor int64
	CostMinor   int64
	Capped      bool
	OverBudget  bool // held: payout and cost are zero
}

// A Purse is what a campaign has left when an action is booked.
type Purse struct {
	Currency        string
	Margin, Agency  Rate
	Caps            []CapUse
	MaxCreatorMinor int64 // 0: no limit
	CreatorPaid     int64 // what counts against it
	HardBudget      bool
	BudgetMinor     int64
	CommittedMinor  int64
	OverBudget      bool // something is held already: every later action is held too
}

// Book takes an intended payout through caps, the creator's maximum and a hard
// budget.
func (p *Purse) Book(intendedMinor int64) Booking {
	b := Booking{PayoutMinor: intendedMinor}
	for _, use := range p.Caps {
		b.cap(use.left(p.Currency, b.PayoutMinor))
	}
	if p.MaxCreatorMinor > 0 {
		b.cap(p.MaxCreatorMinor - p.CreatorPaid)
	}
	b.CostMinor = CostMinor(b.PayoutMinor, p.Margin, p.Agency)
	if p.HardBudget && (p.OverBudget || p.CommittedMinor+b.CostMinor > p.BudgetMinor) {
		b.PayoutMinor, b.CostMinor, b.OverBudget = 0, 0, true
	}
	return b
}

func (b *Booking) cap(leftMinor int64) {
	if left := max(0, leftMinor); b.PayoutMinor > left {
		b.PayoutMinor, b.Capped = left, true
	}
}

// left is what a cap leaves of a payout. The cap was checked when its terms were
// made.
func (u *CapUse) left(currency string, payoutMinor int64) int64 {
	if u.Cap.Metric == "actions" {
		limit, _ := strconv.ParseInt(string(u.Cap.Limit), 10, 64)
		if u.Used >= limit {
			return 0
		}
		return payoutMinor
	}
	limit, _ := ParseMoney(u.Cap.Limit, currency)
	return limit - u.Used
}

// Span is the span of a cap that an event falls in: a day, week (from Monday)
// or month of the campaign's time zone, or all of the campaign.
func (c Cap) Span(event Instant, zone *time.Location) Span {
	year, month, day := event.Time().In(zone).Date()
	midnight := func(year int, month time.Month, day int) Instant {
		return InstantOf(StartOfDay(year, month, day, zone))
	}
	switch c.Period {
	case "day":
		return Span{midnight(year, month, day), midnight(year, month, day+1)}
	case "week":
		monday := day - (int(event.Time().In(zone).Weekday())+6)%7
		return Span{midnight(year, month, monday), midnight(year, month, monday+7)}
	case "month":
		return Span{midnight(year, month, 1), midnight(year, month+1, 1)}
	default:
		return Span{}
	}
}
