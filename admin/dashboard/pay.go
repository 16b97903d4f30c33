package dashboard

import (
	"tributary/catalog"
	"tributary/ledger"
)

// A payView is what is to be paid and what was.
type payView struct {
	Owed      []owed
	Ready     []ledger.PayoutPreview // what a run would pay
	Later     []ledger.PayoutPreview // what carries over
	Totals    []total
	MinPayout string
	Payouts   []ledger.CreatorPayout
	State     string
	Next      string
	Open      int
	Directory *directory
	Tasks     []taskFee
}

// A total is a sum in one currency.
type total struct {
	Currency, Amount string
	Creators         int
}

// A taskFee is an approved task with a fee.
type taskFee struct {
	catalog.Task
	Currency string
}

func showPay(v *visit) (any, error) {
	view := &payView{State: v.Query("state"), Directory: v.directory(), MinPayout: string(v.Advertiser.MinPayout)}
	dues, err := v.Ledger.Due(v.Context(), v.ledgerScope(), v.Advertiser.ID)
	if err != nil {
		return nil, err
	}
	view.Owed = owedOf(dues, v)
	preview, err := v.Ledger.PreviewPayouts(v.Context(), v.ledgerScope(), v.Advertiser.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range preview {
		if p.CarriesOver {
			view.Later = append(view.Later, p)
		} else {
			view.Ready = append(view.Ready, p)
		}
	}
	view.Totals = totalsOf(view.Ready)
	filter := ledger.PayoutFilter{AdvertiserID: v.Advertiser.ID}
	if view.State == ledger.PayoutOpen || view.State == ledger.PayoutPaid {
		filter.State = view.State
	}
	payouts, err := v.Ledger.Payouts(v.Context(), v.ledgerScope(), filter, ledger.Page{Cursor: v.Query("cursor"), Limit: listLength})
	if err != nil {
		return nil, err
	}
	view.Payouts, view.Next = payouts.Items, payouts.NextCursor
	for _, p := range view.Payouts {
		if p.State == ledger.PayoutOpen {
			view.Open++
		}
	}
	return view, nil
}

// totalsOf adds a run up by currency. What an advertiser may not see is not in
// it, and the currency then has no sum.
func totalsOf(ready []ledger.PayoutPreview) (all []total) {
	for _, p := range ready {
		i := 0
		for i < len(all) && all[i].Currency != p.Currency {
			i++
		}
		if i == len(all) {
			all = append(all, total{Currency: p.Currency, Amount: "0"})
		}
		all[i].Creators++
		if p.Amount == nil || all[i].Amount == "" {
			all[i].Amount = ""
			continue
		}
		all[i].Amount = sumOf(p.Currency, all[i].Amount, *p.Amount)
	}
	return all
}
