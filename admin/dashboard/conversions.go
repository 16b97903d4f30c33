package dashboard

import (
	"tributary/ledger"
)

// A conversionsView is what shops reported: all of it, what nobody was credited
// for, what could not be taken, what creators miss, and what looks like fraud.
type conversionsView struct {
	Show        string
	Order       string
	Conversions []ledger.Conversion
	Quarantine  []ledger.Quarantined
	Inquiries   []ledger.Inquiry
	Signals     []ledger.FraudSignal
	Next        string
	Directory   *directory
}

// What the page can show.
const (
	listAll          = ""
	listUnattributed = "unattributed"
	listQuarantine   = "quarantine"
	listMissed       = "inquiries"
	listFraud        = "fraud"
)

func showConversions(v *visit) (any, error) {
	view := &conversionsView{Show: v.Query("show"), Order: v.Query("order_id"), Directory: v.directory()}
	page, scope := ledger.Page{Cursor: v.Query("cursor"), Limit: listLength}, v.ledgerScope()
	switch view.Show {
	case listQuarantine:
		waiting := false
		filter := ledger.QuarantineFilter{AdvertiserID: v.Advertiser.ID, OrderID: view.Order, Replayed: &waiting}
		list, err := v.Ledger.Quarantine(v.Context(), scope, filter, page)
		view.Quarantine, view.Next = list.Items, list.NextCursor
		return view, err
	case listMissed:
		list, err := v.Ledger.Inquiries(v.Context(), scope, ledger.InquiryFilter{AdvertiserID: v.Advertiser.ID}, page)
		view.Inquiries, view.Next = list.Items, list.NextCursor
		return view, err
	case listFraud:
		list, err := v.Ledger.FraudSignals(v.Context(), scope, ledger.FraudFilter{AdvertiserID: v.Advertiser.ID, OrderID: view.Order}, page)
		view.Signals, view.Next = list.Items, list.NextCursor
		return view, err
	}
	filter := ledger.ConversionFilter{AdvertiserID: v.Advertiser.ID, OrderID: view.Order}
	if view.Show == listUnattributed {
		filter.Attributed = new(false)
	} else {
		view.Show = listAll
	}
	list, err := v.Ledger.Conversions(v.Context(), scope, filter, page)
	view.Conversions, view.Next = list.Items, list.NextCursor
	return view, err
}

// A conversionView is one conversion and why it was decided so.
type conversionView struct {
	Conversion  ledger.Conversion
	Explanation ledger.Explanation
	Directory   *directory
}

func showConversion(v *visit) (any, error) {
	id := v.r.PathValue("id")
	c, err := v.Ledger.Conversion(v.Context(), v.ledgerScope(), id)
	if err != nil {
		return nil, err
	}
	if c.AdvertiserID != v.Advertiser.ID {
		if err := v.lookAt(c.AdvertiserID); err != nil {
			return nil, err
		}
	}
	v.Title = "Order " + c.OrderID
	why, err := v.Ledger.ExplainConversion(v.Context(), v.ledgerScope(), id)
	return &conversionView{c, why, v.directory()}, err
}
