package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"tributary/attribution"
)

// functions are what templates write with, beside the methods of what they show.
func functions(files *assets) template.FuncMap {
	return template.FuncMap{
		"asset": files.address, "money": money, "amount": amount, "count": count, "percent": percent, "day": day, "moment": moment, "wall": wall, "hundredfold": hundredfold, "modelName": modelName, "hookState": hookState, "toldOf": toldOf, "groupName": groupName,
		"stamp": stamp, "human": human, "short": short, "initials": initials, "list": list, "pairs": pairs, "add": func(a, b int) int { return a + b },
		"sparkline": sparkline, "share": share, "times": times, "some": some, "span": span, "bare": bare, "differ": differ, "reported": reported, "others": others, "fresh": fresh, "changeOf": changeOf,
	}
}

// list is its arguments, for templates that take several.
func list(values ...any) []any { return values }

// pairs is a map of names and values, for templates that take several by name.
func pairs(values ...any) (map[string]any, error) {
	if len(values)%2 != 0 {
		return nil, fmt.Errorf("pairs takes names and values, and got %d", len(values))
	}
	out := map[string]any{}
	for i := 0; i < len(values); i += 2 {
		name, isText := values[i].(string)
		if !isText {
			return nil, fmt.Errorf("pairs: %v is no name", values[i])
		}
		out[name] = values[i+1]
	}
	return out, nil
}

// symbols are how English writes currencies; others stand by their code.
var symbols = map[string]string{
	"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "KRW": "₩", "INR": "₹", "CNY": "CN¥", "VND": "₫", "BRL": "R$", "CAD": "CA$", "AUD": "A$",
	"MXN": "MX$", "NZD": "NZ$", "HKD": "HK$", "TWD": "NT$", "ILS": "₪", "PHP": "₱",
}

// money writes a decimal of a currency as English has it: $1,234.50. It never
// passes through floating point. What is nil or empty is a dash.
func money(value, currency any) string {
	text, known := textOf(value)
	code, named := textOf(currency)
	if !known || !named {
		return "–"
	}
	if written, isInput := value.(attribution.Decimal); isInput { // as somebody wrote it
		if minor, err := attribution.ParseMoney(written, code); err == nil {
			text = attribution.FormatMoney(minor, code)
		}
	}
	digits, negative := strings.CutPrefix(text, "-")
	symbol, short := symbols[code]
	if !short {
		symbol = code + "\u00a0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + symbol + grouped(digits)
}

// amount is money without its currency, for columns that say it once.
func amount(value any) string {
	text, known := textOf(value)
	if !known {
		return "–"
	}
	digits, negative := strings.CutPrefix(text, "-")
	if negative {
		return "-" + grouped(digits)
	}
	return grouped(digits)
}

// textOf is a decimal as text; it is not known when it is nil or empty.
func textOf(value any) (text string, known bool) {
	switch v := value.(type) {
	case string:
		text = v
	case *string:
		if v != nil {
			text = *v
		}
	case attribution.Decimal:
		text = string(v)
	}
	return text, text != ""
}

// grouped puts commas into the whole part of a decimal.
func grouped(decimal string) string {
	whole, fraction, has := strings.Cut(decimal, ".")
	var out strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	if has {
		out.WriteString("." + fraction)
	}
	return out.String()
}

// count writes a number with commas; nil is a dash.
func count(value any) string {
	switch v := value.(type) {
	case int:
		return signed(int64(v))
	case int64:
		return signed(v)
	case uint64:
		return grouped(strconv.FormatUint(v, 10))
	case *int64:
		if v != nil {
			return signed(*v)
		}
	}
	return "–"
}

func signed(n int64) string {
	if n < 0 {
		return "-" + grouped(strconv.FormatUint(uint64(-n), 10))
	}
	return grouped(strconv.FormatUint(uint64(n), 10))
}

// percent writes a rate ("0.0312") as 3.12 %, exactly; nil is a dash.
func percent(value any) string {
	text, known := textOf(value)
	if !known {
		return "–"
	}
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	fraction += "0000"
	moved := strings.TrimLeft(whole+fraction[:2], "0")
	if moved == "" {
		moved = "0"
	}
	out := grouped(moved)
	if rest := strings.TrimRight(fraction[2:], "0"); rest != "" {
		out += "." + rest
	}
	if negative {
		out = "-" + out
	}
	return out + "%"
}

// some says whether a figure is known and not nothing.
func some(value any) bool {
	number, known := ratOf(value)
	return known && number.Sign() != 0
}

// differ says whether two texts are known and not the same.
func differ(a, b any) bool {
	first, known1 := textOf(a)
	second, known2 := textOf(b)
	return known1 && known2 && first != second
}

// times writes a factor ("5.0923") as 5.09×; nil is a dash.
func times(value any) string {
	factor, known := ratOf(value)
	if !known {
		return "–"
	}
	return grouped(factor.FloatString(2)) + "×"
}

// day and moment write a time for people in a zone, stamp one for machines. They
// take an Instant, a time, or a pointer to one; none is a dash.
func day(value any, zone *time.Location) string { return written(value, zone, "2 Jan 2006") }

func moment(value any, zone *time.Location) string { return written(value, zone, "2 Jan 2006, 15:04") }

// wall is what clocks of a zone show, for a form.
func wall(value any, zone *time.Location) string { return written(value, zone, "2006-01-02T15:04") }

func stamp(value any) string { return written(value, time.UTC, time.RFC3339) }

// span writes two days, the year once where it is the same.
func span(from, to any, zone *time.Location) string {
	first, known1 := timeOf(from)
	last, known2 := timeOf(to)
	if !known1 || !known2 || first.In(zone).Year() != last.In(zone).Year() {
		return day(from, zone) + " – " + day(to, zone)
	}
	return first.In(zone).Format("2 Jan") + " – " + day(to, zone)
}

func written(value any, zone *time.Location, layout string) string {
	at, known := timeOf(value)
	if !known {
		return "–"
	}
	return at.In(zone).Format(layout)
}

func timeOf(value any) (at time.Time, known bool) {
	switch v := value.(type) {
	case time.Time:
		return v, !v.IsZero()
	case attribution.Instant:
		return v.Time(), v != 0
	case *attribution.Instant:
		if v != nil {
			return v.Time(), *v != 0
		}
	}
	return time.Time{}, false
}

// human writes a name of the API for people: over_budget is Over budget.
func human(value any) string {
	text, known := textOf(value)
	if !known {
		return "–"
	}
	if name, has := properNames[text]; has {
		return name
	}
	text = strings.ReplaceAll(text, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

var properNames = map[string]string{
	"tiktok": "TikTok", "youtube": "YouTube", "linkedin": "LinkedIn", "xhs": "Xiaohongshu", "line": "LINE", "x": "X", "ios": "iOS", "s2s": "Server",
	"url": "Links", "code": "Code", "click": "Link",
	"fraud_review": "To be looked at", "fraud_self_purchase": "Creator’s own purchase", "fraud_velocity": "Many orders from one network",
	"fraud_leaked_code": "Leaked code", "fraud_click_source": "Click from paid search",
}

// short is the end of an identifier, enough to tell some apart.
func short(id any) string {
	text, known := textOf(id)
	if !known {
		return "–"
	}
	if len(text) > 12 {
		return text[:4] + "…" + text[len(text)-6:]
	}
	return text
}

// bare is an address without its scheme, as people read it.
func bare(address string) string {
	_, rest, has := strings.Cut(address, "://")
	if !has {
		return address
	}
	return strings.TrimSuffix(rest, "/")
}

// initials are up to two letters of a name.
func initials(name string) string {
	var out []rune
	for _, word := range strings.Fields(name) {
		if first := []rune(word)[0]; len(out) < 2 && first != '&' {
			out = append(out, first)
		}
	}
	return strings.ToUpper(string(out))
}
