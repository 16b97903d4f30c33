package dashboard

import (
	"slices"
	"strings"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

// codesWithFigures puts what codes earned beside them, over the period. A report
// that fails leaves them without.
func (v *visit) codesWithFigures(codes []catalog.Code) (rows []ownCode) {
	answer, err := v.ask(v.Period, reports.Question{GroupBy: []string{"code"}, Limit: 5_000})
	figures := try(v, "codes' figures", answer, err)
	for _, code := range codes {
		row := ownCode{Of: code, Earned: "–"}
		for _, f := range figures.Value.Rows {
			if strings.EqualFold(f.Key, code.Code) {
				row.Actions, row.Earned = f.Get("actions"), money(f.Get("payout"), f.Currency)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// An earningsView is a creator's actions.
type earningsView struct {
	Actions []ledger.Action
	States  []string
	Next    string
	Totals  block[figures]
	Names   *names
}

var actionStates = []string{ledger.Held, ledger.Pending, ledger.Locked, ledger.Payable, ledger.Paid, ledger.Reversed}

func showEarnings(v *visit) (any, error) {
	view := earningsView{States: actionStates, Names: v.names()}
	list, err := v.Ledger.Actions(v.Context(), v.ledgerScope(), ledger.ActionFilter{
		State: v.Query("state"), CampaignID: v.Query("campaign_id"), OrderID: v.Query("order_id"),
		EventFrom: attribution.InstantOf(v.Period.From), EventTo: attribution.InstantOf(v.Period.To),
	}, ledger.Page{Cursor: v.Query("cursor"), Limit: listLength})
	if err != nil {
		return nil, err
	}
	view.Actions, view.Next = list.Items, list.NextCursor
	totals, err := v.ask(v.Period, reports.Question{GroupBy: []string{"currency"}})
	view.Totals = try(v, "totals", totals, err)
	return view, nil
}

// An earningView is one action, and why it is what it is. It has nothing of cost
// and margins: the ledger shows a creator none.
type earningView struct {
	Action  ledger.Action
	Why     ledger.Explanation
	History []ledger.Entry
	Touches []touch
	Names   *names
	Reduced bool // it pays less than its terms say
}

// A touch is one click that could have earned a sale, as its creator may know it.
type touch struct {
	attribution.Candidate
	Own  bool
	Said string
}

func showEarning(v *visit) (any, error) {
	id := v.r.PathValue("id")
	action, err := v.Ledger.Action(v.Context(), v.ledgerScope(), id)
	if err != nil {
		return nil, err
	}
	view := earningView{Action: action, Names: v.names()}
	if view.Why, err = v.Ledger.ExplainAction(v.Context(), v.ledgerScope(), id); err != nil {
		return nil, err
	}
	if view.History, err = v.Ledger.History(v.Context(), v.ledgerScope(), id); err != nil {
		return nil, err
	}
	if view.Why.Trace != nil {
		for _, c := range view.Why.Trace.Candidates {
			view.Touches = append(view.Touches, touch{Candidate: c, Own: c.CreatorID == v.Creator.ID, Said: outcomeInWords(c)})
		}
	}
	view.Reduced = action.Payout != nil && action.IntendedPayout != nil && *action.Payout != *action.IntendedPayout
	v.Title = money(action.Payout, action.Currency)
	v.Subtitle = human(action.Event) + " · " + view.Names.Campaign(action.CampaignID)
	return view, nil
}

func outcomeInWords(c attribution.Candidate) string {
	switch {
	case c.Outcome == attribution.OutcomeCredited:
		return "earned it"
	case c.Reason != "":
		return strings.ReplaceAll(c.Reason, "_", " ")
	case c.Outcome == attribution.OutcomeLost:
		return "another click won"
	}
	return strings.ReplaceAll(c.Outcome, "_", " ")
}

// A statementView is every change of a creator's pay.
type statementView struct {
	Lines      []ledger.StatementLine
	Currencies []string
	Next       string
	Names      *names
}

func showStatement(v *visit) (any, error) {
	view := statementView{Names: v.names()}
	balances, err := v.Ledger.Balances(v.Context(), v.ledgerScope(), v.Creator.ID)
	if err != nil {
		return nil, err
	}
	for _, b := range balances {
		if !slices.Contains(view.Currencies, b.Currency) {
			view.Currencies = append(view.Currencies, b.Currency)
		}
	}
	lines, err := v.Ledger.Statement(v.Context(), v.ledgerScope(), v.Creator.ID, ledger.StatementFilter{
		Currency: v.Query("currency"), CampaignID: v.Query("campaign_id"),
		From: attribution.InstantOf(v.Period.From), To: attribution.InstantOf(v.Period.To),
	}, ledger.Page{Cursor: v.Query("cursor"), Limit: listLength})
	if err != nil {
		return nil, err
	}
	view.Lines, view.Next = lines.Items, lines.NextCursor
	return view, nil
}

// An inquiriesView is what a creator asked about sales it misses.
type inquiriesView struct {
	Inquiries []ledger.Inquiry
	Tasks     []catalog.Task
	Next      string
	Names     *names
}

func showInquiries(v *visit) (any, error) {
	view := inquiriesView{Names: v.names()}
	list, err := v.Ledger.Inquiries(v.Context(), v.ledgerScope(), ledger.InquiryFilter{State: v.Query("state")}, ledger.Page{Cursor: v.Query("cursor"), Limit: listLength})
	if err != nil {
		return nil, err
	}
	view.Inquiries, view.Next = list.Items, list.NextCursor
	tasks, err := v.Catalog.Tasks(v.Context(), v.Session.Scope, catalog.TaskFilter{}, catalog.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	view.Tasks = tasks.Items
	return view, nil
}
