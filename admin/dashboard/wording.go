package dashboard

import (
	"bytes"
	"encoding/json"
	"html/template"
	"math/big"
	"strings"
	"time"

	"tributary/catalog"
)

// wording are functions of the creators' and operators' templates.
func wording() template.FuncMap {
	return template.FuncMap{
		"more": isMore, "nonzero": isNonzero, "signedmoney": signedMoney, "plus": sumOf, "firstpay": firstPay,
		"fraction": fractionInWords, "changed": changeOf, "sumof": func(f figures, name string) uint64 { return f.Sum(name) },
		"lasting": lasting, "brief": brief, "amountof": plural, "plainurl": plainURL, "bytes": bytesInWords, "ms": msInWords, "oldest": oldestInWords, "json": indentedJSON,
		"behind": behindNow, "sinceStart": time.Since,
		"orelse": func(yes any, then, otherwise string) string {
			if truth, _ := template.IsTrue(yes); truth {
				return then
			}
			return otherwise
		},
	}
}

func isNonzero(text any) bool {
	decimal, known := textOf(text)
	value, ok := new(big.Rat).SetString(decimal)
	return known && ok && value.Sign() != 0
}

// signedMoney is money with its sign, as a change has it.
func signedMoney(value any, currency string) string {
	text, _ := textOf(value)
	if isMore(text) {
		return "+" + money(value, currency)
	}
	return money(value, currency)
}

// dayName writes a day of a report (2027-01-31) for people.
func dayName(text string) string {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return at.Format("2 Jan 2006")
}

// weekName writes the week of a day of a report: 23 – 29 Nov, with the year where
// it is not this one.
func weekName(text string, now time.Time) string {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	monday := at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
	sunday := monday.AddDate(0, 0, 6)
	from, until := monday.Format("2"), sunday.Format("2 Jan")
	if monday.Month() != sunday.Month() {
		from = monday.Format("2 Jan")
	}
	if sunday.Year() != now.Year() {
		until = sunday.Format("2 Jan 2006")
	}
	return from + " – " + until
}

// firstPay is the first thing a campaign pays for.
func firstPay(c catalog.Campaign) []string {
	said := termsInWords(c)
	return said[:min(1, len(said))]
}

// fractionInWords writes an exact fraction ("1/3"); 1 is all of it.
func fractionInWords(value any) string {
	text, known := textOf(value)
	if s, ok := value.(interface{ String() string }); ok {
		text, known = s.String(), true
	}
	switch {
	case !known || text == "0" || strings.HasPrefix(text, "0/"):
		return "–"
	case text == "1":
		return "All"
	}
	return text
}

// lasting writes how long something takes or is ago, in its two greatest units.
func lasting(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under a second"
	case d < time.Minute:
		return plural(int(d/time.Second), "second")
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		said := plural(int(d/time.Hour), "hour")
		if rest := int(d % time.Hour / time.Minute); rest > 0 {
			said += " " + plural(rest, "minute")
		}
		return said
	}
	return plural(int(d/(24*time.Hour)), "day")
}

// behindNow writes how long ago a time is; one that is not known is a dash, never
// no delay.
func behindNow(at, now time.Time) string {
	if at.IsZero() {
		return "–"
	}
	return brief(ageOf(at, now))
}

// brief writes a duration for a figure: 0.2 s, 4 min, 3 h. A negative one is not
// known.
func brief(d time.Duration) string {
	switch {
	case d < 0:
		return "–"
	case d < 10*time.Second:
		return trimmed(float64(d.Milliseconds())/1000, 1) + "\u00a0s"
	case d < 2*time.Minute:
		return count(int64(d/time.Second)) + "\u00a0s"
	case d < 2*time.Hour:
		return count(int64(d/time.Minute)) + "\u00a0min"
	}
	return count(int64(d/time.Hour)) + "\u00a0h"
}

// bytesInWords writes a size for people.
func bytesInWords(n int64) string {
	value, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for value >= 1000 && len(units) > 1 {
		value, units = value/1000, units[1:]
	}
	if units[0] == "B" || value >= 100 {
		return trimmed(value, 0) + "\u00a0" + units[0]
	}
	return trimmed(value, 1) + "\u00a0" + units[0]
}

func trimmed(value float64, digits int) string {
	text := big.NewFloat(value).Text('f', digits)
	if digits > 0 {
		text = strings.TrimSuffix(text, "."+strings.Repeat("0", digits))
	}
	return text
}

// msInWords writes a short time.
func msInWords(d time.Duration) string {
	ms := float64(d.Microseconds()) / 1000
	if ms < 10 {
		return trimmed(ms, 1) + "\u00a0ms"
	}
	return trimmed(ms, 0) + "\u00a0ms"
}

// oldestInWords says since when the oldest record of a log waits.
func oldestInWords(l LogVitals) string {
	if l.Oldest.IsZero() {
		return "none is late"
	}
	return "the oldest since " + lasting(l.Age())
}

// indentedJSON writes a JSON value for people.
func indentedJSON(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// plainURL is an address as people write it, without its scheme.
func plainURL(address string) string {
	_, plain, found := strings.Cut(address, "://")
	if !found {
		return address
	}
	return plain
}
