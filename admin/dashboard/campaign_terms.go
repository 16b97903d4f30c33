package dashboard

import (
	"slices"
	"strconv"
	"strings"

	"tributary/attribution"
)

// A campaignTermsView is what a campaign promises, in words.
type campaignTermsView struct {
	campaignHead
	Events []promise
	Groups []promise
	Rules  []promise
}

// A promise is one line of the terms.
type promise struct{ Label, Text string }

func showCampaignTerms(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := campaignTermsView{campaignHead: head}
	if terms := head.Campaign.Terms; terms != nil {
		view.describe(*terms, head.Campaign.Currency)
	}
	return view, nil
}

func (view *campaignTermsView) describe(terms attribution.Terms, currency string) {
	for name, payout := range terms.Events {
		view.Events = append(view.Events, promise{human(name), inWords(payout, currency)})
	}
	slices.SortFunc(view.Events, func(a, b promise) int { return strings.Compare(a.Label, b.Label) })
	for _, g := range terms.Groups {
		var of []string
		for _, part := range []struct {
			name   string
			values []string
		}{{"category", g.Match.Category}, {"SKU", g.Match.SKU}, {"customers", g.Match.CustomerStatus}, {"country", g.Match.Country}, {"code", g.Match.Code}} {
			if len(part.values) > 0 {
				of = append(of, part.name+" "+strings.Join(part.values, ", "))
			}
		}
		view.Groups = append(view.Groups, promise{strings.Join(of, "; "), inWords(g.Payout, currency)})
	}
	view.Rules = []promise{
		{"Click window", strconv.Itoa(terms.ClickWindowDays) + " days"},
		{"Credit goes to", modelName(terms.Model)},
		{"Codes", map[string]string{"always": "win whatever was clicked", "involved": "win where their creator was clicked", "winner": "win where their creator's click wins"}[terms.CodePolicy]},
		{"Customers", human(terms.Customers)},
		{"Locks", schedule(terms.Lock, "the sale")},
		{"Is payable", schedule(terms.Pay, "locking")},
		{"Pixel and tag", map[bool]string{true: "held for approval", false: "as the server's"}[terms.HoldUnsigned]},
	}
	for _, c := range terms.Caps {
		limit := string(c.Limit)
		if c.Metric == "payout" {
			limit = money(limit, currency)
		}
		view.Rules = append(view.Rules, promise{"Cap", limit + " " + human(c.Metric) + " a " + c.Period + " for " + c.Scope})
	}
}

// modelName says who a model gives the credit to.
func modelName(model any) string {
	name, _ := textOf(model)
	return map[string]string{
		"last": "the last click", "first": "the first click", "linear": "every click alike", "position": "first and last click 40 % each", "time_decay": "later clicks more",
	}[name]
}

func inWords(p attribution.Payout, currency string) string {
	switch p.Type {
	case "percent":
		return percent(p.Rate)
	case "flat":
		return money(p.Amount, currency)
	}
	return "nothing"
}

func schedule(s *attribution.Schedule, from string) string {
	if s == nil || s.Basis == "immediate" || s.Basis == "" {
		return "at once"
	}
	text := "after the end of the " + s.Basis + " of " + from
	if s.Months > 0 {
		text += ", " + plural(s.Months, "month")
	}
	if s.Days > 0 {
		text += ", " + plural(s.Days, "day")
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
