package dashboard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/catalog"
)

// An offersView is the campaigns a creator is in and those it may join.
type offersView struct {
	Tab       string // open, mine
	Campaigns []catalog.Campaign
	Next      string
	Names     *names
	Missing   []string // what the creator has not said of itself, and conditions ask for
}

func showOffers(v *visit) (any, error) {
	view := offersView{Tab: "open", Names: v.names(), Missing: missingOf(v.Creator)}
	if v.Query("tab") == "mine" {
		view.Tab = "mine"
	}
	list, err := v.Catalog.Campaigns(v.Context(), v.Session.Scope, catalog.CampaignFilter{Q: v.Query("q")}, catalog.Page{Cursor: v.Query("cursor"), Limit: 200})
	if err != nil {
		return nil, err
	}
	view.Next = list.NextCursor
	for _, c := range list.Items {
		mine := c.Participation == catalog.Joined
		if mine == (view.Tab == "mine") {
			view.Campaigns = append(view.Campaigns, c)
		}
	}
	return view, nil
}

// missingOf is what a creator has not said of itself: what is not said meets no
// condition.
func missingOf(c catalog.Creator) (missing []string) {
	for what, said := range map[string]bool{
		"country": c.Country != "", "birth year": c.BirthYear != 0, "gender": c.Gender != "", "categories": len(c.Categories) > 0, "social accounts": len(c.Socials) > 0,
	} {
		if !said {
			missing = append(missing, what)
		}
	}
	slices.Sort(missing)
	return missing
}

// An offerView is one campaign as a creator sees it.
type offerView struct {
	Campaign catalog.Campaign
	Brand    string
	Unmet    []attribution.FieldProblem // conditions the creator does not meet
	Waits    string                     // why nobody can join now; empty when one can
	Pay      []string                   // the terms in words
	Tasks    []catalog.Task
	Figures  block[figures]
	Reason   string // of a rejection
}

func showOffer(v *visit) (any, error) {
	c, err := v.Catalog.Campaign(v.Context(), v.Session.Scope, v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	v.Title = c.Title
	view := offerView{Campaign: c, Brand: v.names().Brand(c.AdvertiserID), Pay: termsInWords(c)}
	v.Subtitle = "by " + view.Brand
	if c.Participation == "" {
		view.Unmet = c.Unmet(v.Creator.CreatorFields, attribution.InstantOf(v.Now))
		view.Waits = waitsFor(v, c)
		return view, nil
	}
	if part, err := v.Catalog.Participation(v.Context(), v.Session.Scope, c.ID, v.Creator.ID); err == nil {
		view.Reason = part.Reason
	}
	tasks, err := v.Catalog.Tasks(v.Context(), v.Session.Scope, catalog.TaskFilter{CampaignID: c.ID}, catalog.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	view.Tasks = tasks.Items
	answer, err := v.ask(v.Period, reports.Question{GroupBy: []string{"campaign"}, Filters: map[string][]string{"campaign_id": {c.ID}}})
	view.Figures = try(v, "figures", answer, err)
	return view, nil
}

// waitsFor says why nobody can join a campaign now.
func waitsFor(v *visit, c catalog.Campaign) string {
	now := attribution.InstantOf(v.Now)
	switch {
	case c.Status == attribution.StatusPaused:
		return "The campaign is paused. Look again when it goes on."
	case c.Status == attribution.StatusFinished || c.Status == attribution.StatusClosed:
		return "The campaign is over."
	case c.SelectionStartsAt != nil && now < *c.SelectionStartsAt:
		return "The selection of creators starts " + moment(c.SelectionStartsAt, v.Zone) + "."
	}
	return ""
}

// termsInWords are what a campaign pays, one sentence each.
func termsInWords(c catalog.Campaign) (sentences []string) {
	if c.Terms == nil {
		return nil
	}
	terms := c.Terms.WithDefaults()
	for _, event := range slices.Sorted(maps.Keys(terms.Events)) {
		if payout := terms.Events[event]; payout.Type != "none" {
			sentences = append(sentences, payoutInWords(payout, c.Currency)+" for each "+strings.ReplaceAll(event, "_", " "))
		}
	}
	if len(terms.Groups) > 0 {
		sentences = append(sentences, "Some products or shoppers pay another rate; the action says which")
	}
	if terms.Customers == "new" {
		sentences = append(sentences, "Only the shop's new customers count")
	}
	sentences = append(sentences, fmt.Sprintf("A click counts for %d days; %s", terms.ClickWindowDays, modelInWords[terms.Model]))
	sentences = append(sentences, scheduleInWords("A sale can be taken back", terms.Lock, "it is fixed at once"))
	sentences = append(sentences, scheduleInWords("After that it waits", terms.Pay, "then it is payable at once"))
	if len(terms.Caps) > 0 {
		sentences = append(sentences, "What can be earned has a limit; an action that meets it says so")
	}
	return sentences
}

var modelInWords = map[string]string{
	"last": "the last click before the sale earns it", "first": "the first click earns the sale", "linear": "all clicks before the sale share it",
	"position": "the first and the last click get most of it", "time_decay": "later clicks get more of it",
}

func payoutInWords(p attribution.Payout, currency string) string {
	if p.Type == "percent" {
		return percent(p.Rate)
	}
	return money(p.Amount, currency)
}

func scheduleInWords(beginning string, s *attribution.Schedule, atOnce string) string {
	if s == nil || s.Basis == "immediate" {
		return strings.ToUpper(atOnce[:1]) + atOnce[1:]
	}
	said := beginning + " until the end of its " + s.Basis
	if s.Months > 0 {
		said += fmt.Sprintf(" and %s more", plural(s.Months, "month"))
	}
	if s.Days > 0 {
		said += fmt.Sprintf(" and %s more", plural(s.Days, "day"))
	}
	return said
}
