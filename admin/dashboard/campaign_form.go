package dashboard

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"tributary/attribution"
	"tributary/catalog"
)

// A campaignFormView is a campaign that is to be made, or changed.
type campaignFormView struct {
	campaignHead      // of the campaign that is changed
	New          bool // it is made
	Terms        attribution.Terms
	Pays         []eventPay
	Templates    []catalog.TermsTemplate
	Platforms    []string
}

// An eventPay is what the form says of one event: a share of the sale, or an amount.
type eventPay struct {
	Event, Label    string
	Percent, Amount string
	Shares          bool // it has a sale to share
}

// usualEvents are those the form offers; others of a campaign's terms are shown too.
var usualEvents = []eventPay{{Event: "sale", Label: "A sale", Shares: true}, {Event: "lead", Label: "A lead"}, {Event: "click", Label: "A click"}}

func showNewCampaign(v *visit) (any, error) {
	view := campaignFormView{New: true, Platforms: attribution.Platforms(), Pays: usualEvents}
	view.Terms = attribution.Terms{Lock: &attribution.Schedule{Basis: "day", Days: 30}}.WithDefaults()
	view.Campaign.Currency = v.Advertiser.Currency
	templates, err := v.Catalog.TermsTemplates(v.Context(), v.Session.Scope, catalog.TermsTemplateFilter{}, catalog.Page{})
	view.Templates = templates.Items
	return view, err
}

func showCampaignForm(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := campaignFormView{campaignHead: head, Platforms: attribution.Platforms()}
	if terms := head.Campaign.Terms; terms != nil {
		view.Terms = *terms
	}
	view.Terms = view.Terms.WithDefaults()
	view.Pays = paysOf(view.Terms.Events)
	return view, nil
}

// paysOf are the usual events with what the terms pay for them, then the others.
func paysOf(events map[string]attribution.Payout) []eventPay {
	pays := append([]eventPay{}, usualEvents...)
	for _, name := range slices.Sorted(maps.Keys(events)) {
		at := slices.IndexFunc(pays, func(p eventPay) bool { return p.Event == name })
		if at < 0 {
			pays, at = append(pays, eventPay{Event: name, Label: human(name), Shares: true}), len(pays)
		}
		if p := events[name]; p.Type == "percent" {
			pays[at].Percent, pays[at].Shares = hundredfold(p.Rate), true
		} else if p.Type == "flat" {
			pays[at].Amount = string(p.Amount)
		}
	}
	return pays
}

// hundredfold writes a rate as people do: 0.125 is 12.5 percent. It moves the
// point and computes nothing.
func hundredfold(rate attribution.Decimal) string {
	whole, fraction, _ := strings.Cut(string(rate), ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	text := strings.TrimLeft(whole+fraction[:2], "0")
	if text == "" {
		text = "0"
	}
	if rest := strings.TrimRight(fraction[2:], "0"); rest != "" {
		text += "." + rest
	}
	return text
}

// Has says whether a platform is the campaign's.
func (view campaignFormView) Has(platform string) bool {
	return slices.Contains(view.Campaign.Platforms, platform)
}

// Amount is the budget without what was spent of it.
func (view campaignFormView) Amount() string {
	if b := view.Campaign.Budget; b != nil && b.Amount != nil {
		return *b.Amount
	}
	return ""
}

// Soft says whether the budget only notifies.
func (view campaignFormView) Soft() bool {
	return view.Campaign.Budget != nil && view.Campaign.Budget.Mode == "soft"
}

// someNumber writes a number for a form; nothing for none.
func someNumber[N int | int64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

// AgeMin and what follows are bounds of who may join, empty for none.
func (view campaignFormView) AgeMin() string { return someNumber(view.Campaign.Eligibility.AgeMin) }
func (view campaignFormView) AgeMax() string { return someNumber(view.Campaign.Eligibility.AgeMax) }
func (view campaignFormView) FollowersMin() string {
	return someNumber(view.Campaign.Eligibility.FollowersMin)
}
