package dashboard

import (
	"slices"
	"strings"
	"sync"
	"time"

	"tributary/admin/reports"
)

// A journeyView is how shoppers came: how far clicks led, and what lay before sales.
type journeyView struct {
	campaignHead
	Funnel    block[[]funnelStep]
	Paths     block[*reports.PathsReport]
	Directory *directory
}

// A funnelStep is how many clicks came so far.
type funnelStep struct {
	Label, Note string
	Clicks      int64
	Width       string // of all hits, in percent
	Rate        string // of the step before
	Lost        []string
}

// stepNames are the funnel's steps for people, with what they mean.
var stepNames = map[string][2]string{
	"hits": {"Hits", "every request on a link"}, "valid": {"Clicks", "of people"}, "unique": {"Unique clicks", "once in 30 minutes"},
	"landed": {"Landed", "the tag saw them in the shop"}, "converted": {"Converted", "something was bought or done"},
	"credited": {"Credited", "the click earned it"}, "paid": {"Paid", "to the creator"},
}

func showCampaignJourney(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := &journeyView{campaignHead: head, Directory: v.directory()}
	asked := reports.Narrowing{
		From: v.Period.From.Format(time.RFC3339), To: v.Period.To.Format(time.RFC3339), TZ: v.Zone.String(),
		Filters: map[string][]string{"campaign_id": {head.Campaign.ID}},
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		funnel, err := v.Reports.Funnel(v.Context(), v.reportScope(), asked, "", v.Now)
		var steps []funnelStep
		if err == nil {
			steps = stepsOf(funnel.Total)
		}
		view.Funnel = try(v, "funnel", steps, err)
	})
	wg.Go(func() {
		paths, err := v.Reports.Paths(v.Context(), v.reportScope(), asked, 8, v.Now)
		view.Paths = try(v, "paths", paths, err)
	})
	wg.Wait()
	return view, nil
}

// lossNames are why clicks go no further, for people.
var lossNames = map[string]string{
	"bot": "bots", "preview": "link previews", "prefetch": "prefetches", "probe": "probes", "datacenter": "from data centres", "rate": "over the rate",
	"test": "tests", "repeat": "came again", "not_landed": "did not land", "not_converted": "did not convert", "pending": "not paid yet, pending",
	"locked": "not paid yet, locked", "payable": "not paid yet, payable", "held": "held", "reversed": "reversed", "unbooked": "being booked",
}

// maxLosses is how many reasons of a step are told.
const maxLosses = 5

// stepsOf leaves out the landing where nobody ever landed: that shop has no tag.
func stepsOf(total []reports.FunnelStep) (steps []funnelStep) {
	if len(total) == 0 || total[0].Clicks == 0 {
		return nil
	}
	tagged := slices.ContainsFunc(total, func(s reports.FunnelStep) bool { return s.Step == "landed" && s.Clicks > 0 })
	all, before := total[0].Clicks, int64(0)
	for _, s := range total {
		if s.Step == "landed" && !tagged {
			continue
		}
		step := funnelStep{Label: stepNames[s.Step][0], Note: stepNames[s.Step][1], Clicks: s.Clicks, Width: share(s.Clicks, all)}
		if before > 0 {
			step.Rate = tenths(s.Clicks, before)
		}
		for _, lost := range s.Lost {
			if lost.Clicks > 0 && len(step.Lost) < maxLosses && (tagged || lost.Reason != "not_landed") {
				step.Lost = append(step.Lost, count(lost.Clicks)+" "+orElse(lossNames[lost.Reason], strings.ToLower(human(lost.Reason))))
			}
		}
		steps, before = append(steps, step), s.Clicks
	}
	return steps
}

// tenths is a share in percent with one decimal.
func tenths(part, whole int64) string {
	thousandths := (part*2000 + whole) / (2 * whole)
	return count(thousandths/10) + "." + count(thousandths%10) + "%"
}

// Steps are a path's platforms in words, oldest first.
func (view *journeyView) Steps(path []string) string {
	names := make([]string, len(path))
	for i, name := range path {
		names[i] = human(name)
	}
	return strings.Join(names, " → ")
}

// Names are a path's creators, oldest first.
func (view *journeyView) Names(path []string) string {
	names := make([]string, len(path))
	for i, id := range path {
		names[i] = view.Directory.Creator(id)
	}
	return strings.Join(names, " → ")
}

// Bars are the buckets of a time to convert.
func (view *journeyView) Bars(of reports.TimeToConvert) (bars []bar) {
	var most int64
	for _, b := range of.Buckets {
		most = max(most, b.Conversions)
	}
	below := "0"
	for _, b := range of.Buckets {
		label := "over " + below
		if b.UpToMs != nil {
			below = lastingMs(*b.UpToMs)
			label = "up to " + below
		}
		bars = append(bars, bar{Label: label, Text: count(b.Conversions), Width: share(b.Conversions, most)})
	}
	return bars
}

// Lasting is a time in words; nil is a dash.
func (view *journeyView) Lasting(ms *int64) string {
	if ms == nil {
		return "–"
	}
	return lastingMs(*ms)
}

func lastingMs(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d >= 48*time.Hour:
		return plural(int(d.Round(24*time.Hour)/(24*time.Hour)), "day")
	case d >= time.Hour:
		return plural(int(d.Round(time.Hour)/time.Hour), "hour")
	case d >= time.Minute:
		return plural(int(d.Round(time.Minute)/time.Minute), "minute")
	}
	return plural(int(d.Round(time.Second)/time.Second), "second")
}
