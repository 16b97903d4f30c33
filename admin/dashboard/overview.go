package dashboard

import (
	"sync"

	"tributary/admin/reports"
	"tributary/ledger"
)

// An overviewView is what an advertiser looks at first.
type overviewView struct {
	Currency string
	Now      block[figures]
	Before   figures
	Chart    block[*chart]
	Owed     block[[]owed]
	Todo     []todo
	Rows     []campaignRow
	Days     int // that the sparklines show
}

// A todo is something that waits for a person.
type todo struct {
	Count            int
	More             bool // there are more than were counted
	One, Many, Where string
}

func showOverview(v *visit) (any, error) {
	view := &overviewView{Currency: v.Advertiser.Currency, Days: v.Period.Days()}
	campaigns, err := v.campaignsOf("")
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		now, err := v.ask(v.Period, reports.Question{GroupBy: []string{"advertiser"}, Columns: headline})
		view.Now = try(v, "figures", now, err)
	})
	wg.Go(func() {
		if v.Period.Compare {
			view.Before, _ = v.ask(v.Period.Before(), reports.Question{GroupBy: []string{"advertiser"}, Columns: headline}) // without it nothing is compared
		}
	})
	wg.Go(func() { view.Chart = v.activity(view.Currency, nil) })
	wg.Go(func() { view.Rows = v.campaignRows(campaigns) })
	wg.Go(func() {
		dues, err := v.Ledger.Due(v.Context(), v.ledgerScope(), v.Advertiser.ID)
		view.Owed = try(v, "what is owed", owedOf(dues, v), err)
	})
	wg.Go(func() { view.Todo = v.todo() })
	wg.Wait()
	return view, nil
}

// activity is the chart of clicks, actions and money.
func (v *visit) activity(currency string, filters map[string][]string) block[*chart] {
	c, err := v.timeline("Clicks, actions and cost", currency, filters,
		line{Figure: "unique_clicks", Label: "Unique clicks", Group: "clicks", Color: 1},
		line{Figure: "actions", Label: "Actions", Group: "actions", Color: 2},
		line{Figure: "sale_amount", Label: "Sales", Group: "sales", Color: 3, Money: true},
		line{Figure: "payout", Label: "Payout", Group: "payout", Color: 3, Money: true},
		line{Figure: "cost", Label: "Cost", Group: "cost", Color: 3, Money: true})
	return try(v, "chart", c, err)
}

// todo is what waits for the advertiser.
func (v *visit) todo() (all []todo) {
	const most = 100
	add := func(count int, more bool, one, many, where string) {
		if count > 0 {
			all = append(all, todo{count, more, one, many, where})
		}
	}
	page := ledger.Page{Limit: most}
	if held, err := v.Ledger.Actions(v.Context(), v.ledgerScope(), ledger.ActionFilter{AdvertiserID: v.Advertiser.ID, State: ledger.Held}, page); err == nil {
		add(len(held.Items), held.NextCursor != "", "action is held", "actions are held", v.Link("/actions", "state", ledger.Held))
	}
	waiting := false
	filter := ledger.QuarantineFilter{AdvertiserID: v.Advertiser.ID, Replayed: &waiting}
	if list, err := v.Ledger.Quarantine(v.Context(), v.ledgerScope(), filter, page); err == nil {
		add(len(list.Items), list.NextCursor != "", "report could not be taken", "reports could not be taken", v.Link("/conversions", "show", "quarantine"))
	}
	if open, err := v.Ledger.Payouts(v.Context(), v.ledgerScope(), ledger.PayoutFilter{AdvertiserID: v.Advertiser.ID, State: ledger.PayoutOpen}, page); err == nil {
		add(len(open.Items), open.NextCursor != "", "payout is not marked paid", "payouts are not marked paid", v.Link("/pay"))
	}
	inquiries := ledger.InquiryFilter{AdvertiserID: v.Advertiser.ID, State: "open"}
	if open, err := v.Ledger.Inquiries(v.Context(), v.ledgerScope(), inquiries, page); err == nil {
		add(len(open.Items), open.NextCursor != "", "creator misses a sale", "creators miss sales", v.Link("/conversions", "show", "inquiries"))
	}
	return all
}
