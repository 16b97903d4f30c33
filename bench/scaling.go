package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"text/template"

	"tributary/bench/capacity"
)

// figuresFile holds the figures docs/scaling.md was last computed from.
const figuresFile = "bench/scaling.json"

//go:embed scaling.md.tmpl
var scalingText string

func readReport(path string) (r report, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// writeScaling computes the document and keeps the figures it is of.
func writeScaling(document, from string) error {
	if from == "" {
		from = figuresFile
	}
	r, err := readReport(from)
	if err != nil {
		return err
	}
	r.Figures, r.Notes = nil, nil // the costs hold them
	text, err := scaling(&r)
	if err != nil {
		return err
	}
	figures, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(figuresFile, append(figures, '\n'), 0o644), os.WriteFile(document, text, 0o644))
}

// scaling is the document of some figures.
func scaling(r *report) ([]byte, error) {
	if r.Costs == nil {
		return nil, errors.New("these results have no costs: go run ./bench -only costs,predict,two-trackers")
	}
	if err := r.Costs.Check(); err != nil {
		return nil, err
	}
	text, err := template.New("scaling.md").Funcs(template.FuncMap{
		"n": amount, "size": size, "bits": func(v float64) string { return strings.Replace(size(v), "B", "bit/s", 1) },
		"percent": func(v float64) string { return amount(100*v) + " %" }, "span": span, "per": func(a, b float64) float64 { return a / b },
		"caught": func(seconds float64) string {
			if 0 <= seconds && seconds < 1 {
				return "at once"
			}
			return span(seconds)
		},
		"times": func(v ...float64) float64 {
			product := 1.0
			for _, factor := range v {
				product *= factor
			}
			return product
		},
	}).Parse(scalingText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := text.Execute(&out, newPages(r)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Assumed is what the document takes for granted, and says.
var assumed = capacity.Assumptions{
	ConversionsPerClick: 0.01, ReportsPerSecond: 1, BurstTimes: 5, RedirectShare: 0.7, StoreShare: 0.5, WriterShare: 0.8, DiskBytes: 20e12,
	RetentionMonths: 25, MonthRate: 1, WindowMinutes: 30, VisitorsPerClick: 0.5, OutageHours: 4, Links: 1e6,
	CoresOfTracker: 4, CoresOfShard: 8, Replicas: 2,
}

// examplePrices are round numbers nobody charges, to show the arithmetic with.
var examplePrices = capacity.Prices{CoreHour: 0.03, MemoryHour: 0.004, GigabyteMonth: 0.08, EgressGigabyte: 0.05, HoursOfAMonth: 730, MemoryOfMachine: 4}

// Pages are what the template shows.
type pages struct {
	*report
	Assumed capacity.Assumptions
	Prices  capacity.Prices
	Groups  []costGroup
	Ones    []grown // one machine, of several sizes
	Grown   []grown // more and more trackers
	Plans   []planned
	Days    []badDay
	Quiet   []quiet
}

type grown struct {
	Label         string
	Redirects     float64 // a second, with nothing behind them
	Clicks        float64 // a second, stored, for ever
	First         capacity.Part
	Second        capacity.Ceiling
	ToOne         float64 // Clicks, and
	RedirectToOne float64
	Conversions   float64 // part of clicks that the writer of money bears
}

type planned struct {
	capacity.Plan
	Bill        capacity.Bill
	BurstClicks float64
	All         float64 // clicks a minute of all installations
}

type badDay struct {
	Rate, What string
	capacity.Outcome
	P99Millis float64
	Part      capacity.Part // busiest
	Share     float64
}

// Quiet is what shoppers wait in a tracker at a part of what its cores bear.
type quiet struct {
	Share float64
	capacity.Waits
}

func newPages(r *report) *pages {
	p := &pages{report: r, Assumed: assumed, Prices: examplePrices}
	c := r.Costs
	p.Groups = groups(c)
	mix := capacity.Load{Clicks: 1_000, Conversions: 1_000 * assumed.ConversionsPerClick, Reports: assumed.ReportsPerSecond}
	for _, cores := range []int{2, 4, 8, 16} {
		p.Ones = append(p.Ones, grow(c, fmt.Sprintf("%d cores", cores), capacity.OneMachine(cores), mix))
	}
	for _, trackers := range []int{1, 2, 4, 8, 16, 32} {
		i := capacity.Installation{Trackers: trackers, TrackerCores: assumed.CoresOfTracker, Shards: 4, ShardCores: assumed.CoresOfShard, DatabaseCores: 4, AdminCores: 4, RedisMasters: 2}
		g := grow(c, fmt.Sprint(trackers), i, capacity.Load{Clicks: 1_000, Reports: assumed.ReportsPerSecond})
		g.Conversions = 1e6 / c.WriterPostgresMicros / g.Clicks
		p.Grown = append(p.Grown, g)
		last := &p.Grown[len(p.Grown)-1]
		last.ToOne, last.RedirectToOne = last.Clicks/p.Grown[0].Clicks, last.Redirects/p.Grown[0].Redirects
	}
	for _, perMinute := range []float64{1e3, 1e5, 1e7} {
		plan := capacity.Size(c, assumed, perMinute)
		p.Plans = append(p.Plans, planned{plan, plan.Bill(c, assumed, examplePrices), plan.Load.Clicks * assumed.BurstTimes, perMinute})
		p.Days = append(p.Days, badDays(c, plan, perMinute)...)
	}
	for _, share := range []float64{0.1, 0.5, 0.7, 0.9} {
		rate := share * 1e6 / c.RedirectMicros(share) * float64(assumed.CoresOfTracker)
		p.Quiet = append(p.Quiet, quiet{share, capacity.Redirects(c, capacity.Tracker{Cores: assumed.CoresOfTracker}, rate, 1)})
	}
	return p
}

func grow(c *capacity.Costs, label string, i capacity.Installation, mix capacity.Load) grown {
	ceilings := capacity.Ceilings(c, i, mix)
	g := grown{Label: label, Clicks: ceilings[0].ClicksPerSecond, First: ceilings[0].Part, Redirects: float64(i.Trackers*i.TrackerCores) * 1e6 / c.RedirectBusyMicros}
	if len(ceilings) > 1 {
		g.Second = ceilings[1]
	}
	return g
}

// badDays are what an installation of its size goes through.
func badDays(c *capacity.Costs, plan capacity.Plan, perMinute float64) (days []badDay) {
	burst := capacity.Burst{Span: capacity.Span{From: 60, To: 120}, Times: assumed.BurstTimes}
	away := capacity.Span{From: 60, To: 660}
	scenarios := []capacity.Scenario{
		{Name: "steady", Seconds: 120},
		{Name: fmt.Sprintf("%.0f times the rate for a minute", assumed.BurstTimes), Seconds: 3600, Bursts: []capacity.Burst{burst}},
		{Name: "ClickHouse away for 10 minutes", Seconds: 3600, Away: []capacity.Span{away}},
	}
	if !plan.One {
		scenarios = append(scenarios, capacity.Scenario{Name: "a tracker dies, and is back after 10 minutes", Seconds: 3600, Deaths: []capacity.Death{{Span: away}}})
	}
	for _, s := range scenarios {
		s.Load = plan.Load
		day := badDay{Rate: amount(perMinute), What: s.Name, Outcome: capacity.Run(c, plan.Installation, &s)}
		day.P99Millis = day.RedirectP99Millis(c, plan.Installation.TrackerCores)
		for part, busy := range day.Busiest {
			if busy > day.Share || busy == day.Share && part < day.Part {
				day.Part, day.Share = part, busy
			}
		}
		days = append(days, day)
	}
	return days
}

// amount has three significant digits or a few more, and separators.
func amount(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) >= 999_950:
		return amount(v/1e6) + " million"
	case math.Abs(v) >= 1e3:
		to := map[bool]float64{true: 100, false: 1}[math.Abs(v) >= 1e4]
		rounded := int64(math.Round(v/to) * to)
		return fmt.Sprintf("%d,%03d", rounded/1000, rounded%1000)
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return trim(fmt.Sprintf("%.1f", v))
	case math.Abs(v) >= 1:
		return trim(fmt.Sprintf("%.2f", v))
	}
	return trim(fmt.Sprintf("%.2g", v))
}

func trim(number string) string {
	if strings.Contains(number, ".") && !strings.Contains(number, "e") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number
}

// size is of bytes, decimal as disks and networks are sold.
func size(v float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if v < 1000 {
			return amount(v) + " " + unit
		}
		v /= 1000
	}
	return amount(v) + " PB"
}

// span is of seconds.
func span(seconds float64) string {
	switch {
	case seconds < 0:
		return "not within the hour"
	case seconds < 1e-3:
		return amount(seconds*1e6) + " µs"
	case seconds < 1:
		return amount(seconds*1e3) + " ms"
	case seconds < 120:
		return amount(seconds) + " s"
	}
	return amount(seconds/60) + " min"
}
