package attribution

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Terms are what a campaign promises its creators. They are versioned: the
// version in force at a conversion's event time decides, and its actions pin it.
type Terms struct {
	Events          map[string]Payout `json:"events" doc:"Payout by event name: sale, lead, click or any name of yours"`
	Groups          []PayoutGroup     `json:"groups,omitempty" doc:"Payouts for some conversions or items; the lowest rank wins"`
	Lock            *Schedule         `json:"lock,omitempty" doc:"When an action can no longer be reversed; immediate by default"`
	Pay             *Schedule         `json:"pay,omitempty" doc:"When a locked action becomes payable; immediate by default"`
	ClickWindowDays int               `json:"click_window_days,omitempty" doc:"Days a click can earn; 30 by default"`
	CodePolicy      string            `json:"code_policy,omitempty" doc:"always (default), involved or winner"`
	Model           string            `json:"model,omitempty" doc:"last (default), first, linear, position or time_decay"`
	Customers       string            `json:"customers,omitempty" doc:"any (default) or new"`
	HoldUnsigned    bool              `json:"hold_unsigned,omitempty" doc:"Hold actions of conversions from pixel or tag for approval"`
	AllowPaidSearch bool              `json:"allow_paid_search,omitempty" doc:"Creators may advertise their links in search engines; the fraud rule click_source then says nothing"`
	Caps            []Cap             `json:"caps,omitempty"`
}

// A TermsOverride is what one creator is promised instead.
type TermsOverride struct {
	Events          map[string]Payout `json:"events" doc:"Payout by event name"`
	AllowPaidSearch bool              `json:"allow_paid_search,omitempty" doc:"This creator may advertise links in search engines"`
}

// Check records every field of the override that cannot be accepted.
func (o TermsOverride) Check(c *Checker, location, currency string) {
	checkEvents(c, location, currency, o.Events)
}

// A Payout is what one event earns.
type Payout struct {
	Type   string  `json:"type" doc:"percent, flat or none"`
	Rate   Decimal `json:"rate,omitempty" doc:"Share of the commission base: 0.10 is 10 %"`
	Amount Decimal `json:"amount,omitempty" doc:"Amount in the campaign's currency; per unit for items"`
}

// A PayoutGroup replaces the event's payout where every given field matches.
type PayoutGroup struct {
	Rank   int        `json:"rank"`
	Match  GroupMatch `json:"match"`
	Payout Payout     `json:"payout"`
}

// A GroupMatch names what a group applies to; compared case-insensitively.
type GroupMatch struct {
	Category       []string `json:"category,omitempty"`
	SKU            []string `json:"sku,omitempty"`
	CustomerStatus []string `json:"customer_status,omitempty"`
	Country        []string `json:"country,omitempty"`
	Code           []string `json:"code,omitempty"`
}

// A Schedule is a moment counted from another: the end of that day or month in
// the campaign's time zone, plus months, plus days.
type Schedule struct {
	Basis  string `json:"basis" doc:"immediate, day or month"`
	Months int    `json:"months,omitempty"`
	Days   int    `json:"days,omitempty"`
}

// A Cap limits what actions may add up to.
type Cap struct {
	Scope  string  `json:"scope" doc:"all, creator, customer, order or click"`
	Metric string  `json:"metric" doc:"payout or actions"`
	Period string  `json:"period" doc:"day, week, month or campaign"`
	Limit  Decimal `json:"limit"`
}

// The bounds of terms.
const (
	MaxEvents          = 50
	MaxGroups          = 200
	MaxCaps            = 20
	MaxClickWindowDays = 365
	maxScheduleMonths  = 24
	maxScheduleDays    = 366
	maxEventName       = 40
	maxMatchValues     = 1000
	maxFlatMinor       = 1_000_000_000_000 // a flat amount, in minor units: ten billion dollars
)

// WithDefaults returns the terms with every default written out.
func (t Terms) WithDefaults() Terms {
	immediate := Schedule{Basis: "immediate"}
	if t.Lock == nil {
		t.Lock = &immediate
	}
	if t.Pay == nil {
		t.Pay = &immediate
	}
	if t.ClickWindowDays == 0 {
		t.ClickWindowDays = 30
	}
	t.CodePolicy = orDefault(t.CodePolicy, "always")
	t.Model = orDefault(t.Model, "last")
	t.Customers = orDefault(t.Customers, "any")
	return t
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// Check records every field of the terms that cannot be accepted, under
// location ("body.terms"). Amounts are in currency.
func (t Terms) Check(c *Checker, location, currency string) {
	checkEvents(c, location, currency, t.Events)
	c.Require(len(t.Groups) <= MaxGroups, location+".groups", "must be at most %d", MaxGroups)
	ranks := map[int]bool{}
	for i, g := range t.Groups {
		at := location + ".groups[" + strconv.Itoa(i) + "]"
		c.Require(!ranks[g.Rank], at+".rank", "must differ from every other group's")
		ranks[g.Rank] = true
		g.Match.check(c, at+".match")
		g.Payout.check(c, at+".payout", currency)
	}
	t.Lock.check(c, location+".lock")
	t.Pay.check(c, location+".pay")
	c.Require(t.ClickWindowDays >= 0 && t.ClickWindowDays <= MaxClickWindowDays, location+".click_window_days", "must be 1 to %d", MaxClickWindowDays)
	oneOf(c, location+".code_policy", t.CodePolicy, "", "always", "involved", "winner")
	oneOf(c, location+".model", t.Model, "", "last", "first", "linear", "position", "time_decay")
	oneOf(c, location+".customers", t.Customers, "", "any", "new")
	c.Require(len(t.Caps) <= MaxCaps, location+".caps", "must be at most %d", MaxCaps)
	for i, limit := range t.Caps {
		limit.check(c, location+".caps["+strconv.Itoa(i)+"]", currency)
	}
}

func checkEvents(c *Checker, location, currency string, events map[string]Payout) {
	c.Require(len(events) > 0 && len(events) <= MaxEvents, location+".events", "must name 1 to %d events", MaxEvents)
	for _, name := range slices.Sorted(maps.Keys(events)) {
		at := location + ".events." + name
		c.Require(ValidEventName(name), at, "an event name is 1 to %d of a-z, 0-9, _ and -", maxEventName)
		events[name].check(c, at, currency)
	}
}

func (p Payout) check(c *Checker, location, currency string) {
	switch p.Type {
	case "percent":
		if _, err := ParseRate(p.Rate); err != nil {
			c.Add(location+".rate", "%v", err)
		}
		c.Require(p.Amount == "", location+".amount", "does not go with type percent")
	case "flat":
		if minor, err := ParseMoney(p.Amount, currency); err != nil {
			c.Add(location+".amount", "%v", err)
		} else {
			c.Require(minor >= 0, location+".amount", "must not be negative")
			c.Require(minor <= maxFlatMinor, location+".amount", "must be at most %s", FormatMoney(maxFlatMinor, currency))
		}
		c.Require(p.Rate == "", location+".rate", "does not go with type flat")
	case "none":
		c.Require(p.Rate == "" && p.Amount == "", location, "type none has neither rate nor amount")
	default:
		c.Add(location+".type", "must be percent, flat or none")
	}
}

func (m GroupMatch) check(c *Checker, location string) {
	lists := map[string][]string{
		"category": m.Category, "sku": m.SKU, "customer_status": m.CustomerStatus, "country": m.Country, "code": m.Code,
	}
	values := 0
	for name, list := range lists {
		values += len(list)
		c.Require(len(list) <= maxMatchValues, location+"."+name, "must be at most %d values", maxMatchValues)
	}
	c.Require(values > 0, location, "must name at least one category, sku, customer_status, country or code")
	for _, status := range m.CustomerStatus {
		oneOf(c, location+".customer_status", status, "new", "returning")
	}
}

func (s *Schedule) check(c *Checker, location string) {
	if s == nil {
		return
	}
	oneOf(c, location+".basis", s.Basis, "immediate", "day", "month")
	c.Require(s.Months >= 0 && s.Months <= maxScheduleMonths, location+".months", "must be 0 to %d", maxScheduleMonths)
	c.Require(s.Days >= 0 && s.Days <= maxScheduleDays, location+".days", "must be 0 to %d", maxScheduleDays)
	c.Require(s.Basis != "immediate" || (s.Months == 0 && s.Days == 0), location, "basis immediate has neither months nor days")
}

func (p Cap) check(c *Checker, location, currency string) {
	oneOf(c, location+".scope", p.Scope, "all", "creator", "customer", "order", "click")
	oneOf(c, location+".period", p.Period, "day", "week", "month", "campaign")
	switch p.Metric {
	case "payout":
		if minor, err := ParseMoney(p.Limit, currency); err != nil {
			c.Add(location+".limit", "%v", err)
		} else {
			c.Require(minor >= 0, location+".limit", "must not be negative")
		}
	case "actions":
		n, err := strconv.ParseInt(string(p.Limit), 10, 64)
		c.Require(err == nil && n >= 0, location+".limit", "must be a whole number of actions")
	default:
		c.Add(location+".metric", "must be payout or actions")
	}
}

// ValidEventName reports whether terms may name an event so: 1 to 40 of a-z, 0-9, _
// and -.
func ValidEventName(name string) bool {
	if name == "" || len(name) > maxEventName {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) < 0
}

// oneOf records the field unless value is one of allowed; an empty allowed value
// stands for "not given".
func oneOf(c *Checker, location, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.Add(location, "must be one of: %s", strings.TrimSpace(strings.Join(allowed, " ")))
	}
}
