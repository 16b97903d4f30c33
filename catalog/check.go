package catalog

import (
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tributary/attribution"
)

// The bounds of what clients write, in characters where not said otherwise.
const (
	maxName        = 200
	maxDescription = 20_000
	maxList        = 100
	maxWord        = 100 // a category, a label, a hashtag
	maxURLBytes    = 2000
	maxEmail       = 254
	maxHost        = 253
)

// A fieldCheck checks the fields of one thing, all of them, under "body".
type fieldCheck struct{ attribution.Checker }

// text requires at most max characters, none of them a control character. Long
// texts may have line breaks.
func (c *fieldCheck) text(location, value string, max int) {
	length := utf8.RuneCountInString(value)
	c.Require(length <= max, location, "must be at most %d characters, has %d", max, length)
	c.Require(utf8.ValidString(value), location, "must be UTF-8")
	c.Require(strings.IndexFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && (max < maxDescription || r != '\n' && r != '\r' && r != '\t')
	}) < 0, location, "must not have control characters")
}

func (c *fieldCheck) required(location, value string, max int) {
	c.Require(strings.TrimSpace(value) != "", location, "is required")
	c.text(location, value, max)
}

// words checks a list of short texts, each once.
func (c *fieldCheck) words(location string, values []string, most int) {
	c.Require(len(values) <= most, location, "must be at most %d, has %d", most, len(values))
	seen := map[string]bool{}
	for i, value := range values[:min(len(values), most)] {
		at := indexed(location, i)
		c.required(at, value, maxWord)
		c.Require(!seen[value], at, "is listed twice")
		seen[value] = true
	}
}

func indexed(location string, i int) string { return location + "[" + strconv.Itoa(i) + "]" }

func (c *fieldCheck) oneOf(location, value string, allowed ...string) {
	c.Require(slices.Contains(allowed, value), location, "must be one of: %s", strings.Join(allowed, " "))
}

func (c *fieldCheck) email(location, value string) {
	if value == "" {
		return
	}
	address, err := mail.ParseAddress(value)
	c.Require(err == nil && address.Address == value && len(value) <= maxEmail, location, "must be an e-mail address such as mali@example.com")
}

func (c *fieldCheck) country(location, value string) {
	c.Require(value == "" || validCountry(value), location, "must be an ISO 3166-1 country of two letters, such as TH")
}

func (c *fieldCheck) countries(location string, values []string) {
	c.words(location, values, len(countries)/3+1)
	for i, value := range values {
		c.Require(validCountry(value), indexed(location, i), "must be an ISO 3166-1 country of two letters, such as TH")
	}
}

func (c *fieldCheck) platform(location, value string) {
	c.oneOf(location, value, attribution.Platforms()...)
}

func (c *fieldCheck) timezone(location, value string) {
	c.Require(validTimezone(value), location, "must be an IANA time zone such as Asia/Bangkok")
}

func validTimezone(name string) bool {
	if name == "" || name == "Local" || len(name) > maxWord {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

func (c *fieldCheck) currency(location, value string) {
	_, known := attribution.CurrencyExponent(value)
	c.Require(known, location, "must be an ISO 4217 currency such as USD")
}

// money checks an optional amount that is not negative and returns its minor
// units; nil when none is given.
func (c *fieldCheck) money(location string, amount attribution.Decimal, currency string) *int64 {
	if _, known := attribution.CurrencyExponent(currency); amount == "" || !known { // currency is complained of on its own
		return nil
	}
	minor, err := attribution.ParseMoney(amount, currency)
	if err != nil {
		c.Add(location, "%v", err)
		return nil
	}
	c.Require(minor >= 0, location, "must not be negative")
	return &minor
}

// inForm writes an amount with its currency's decimals; what is no amount of it
// stays as it is, for money to complain of.
func inForm(amount attribution.Decimal, currency string) attribution.Decimal {
	minor, err := attribution.ParseMoney(amount, currency)
	if err != nil {
		return amount
	}
	return attribution.Decimal(attribution.FormatMoney(minor, currency))
}

func (c *fieldCheck) rate(location string, rate attribution.Decimal) attribution.Rate {
	value, err := attribution.ParseRate(rate)
	if err != nil {
		c.Add(location, "%v", err)
	}
	return value
}

// webURL checks an optional http or https address.
func (c *fieldCheck) webURL(location, value string) {
	if value == "" {
		return
	}
	c.Require(len(value) <= maxURLBytes, location, "must be at most %d bytes", maxURLBytes)
	parsed, err := url.Parse(value)
	c.Require(err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Hostname() != "",
		location, "must be an address such as https://shop.example/p/1")
}

// destination checks where shoppers are sent. Without domains the advertiser is
// unknown, which is complained of on its own.
func (c *fieldCheck) destination(location, value string, domains []string) {
	if len(domains) == 0 {
		return
	}
	if err := attribution.CheckDestination(value, domains); err != nil {
		c.Add(location, "%v", err)
	}
}

// hosts checks a list of host names. IPv4 addresses and localhost are hosts too:
// rehearsals on a laptop need them.
func (c *fieldCheck) hosts(location string, values []string) {
	c.Require(len(values) > 0, location, "is required: name the hosts shoppers may be sent to")
	c.words(location, values, maxList)
	for i, value := range values {
		c.Require(validHost(value), indexed(location, i),
			"must be a host name such as shop.example, without scheme, port and path (international names in their xn-- form)")
	}
}

func validHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Is4()
	}
	if host == "localhost" {
		return true
	}
	labels := strings.Split(host, ".")
	if len(host) > maxHost || len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != "" // else it is a mistyped address
}

// countries are the codes of ISO 3166-1 alpha-2, and XK, which is in use.
const countries = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY " +
	"BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT " +
	"MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW " +
	"SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG " +
	"UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW "

func validCountry(code string) bool {
	return len(code) == 2 && code[0] >= 'A' && code[0] <= 'Z' && strings.Contains(countries, code+" ")
}

// upper and lower write every element of a list in one case.
func upper(values []string) []string { return mapped(values, strings.ToUpper) }
func lower(values []string) []string { return mapped(values, strings.ToLower) }

func mapped(values []string, f func(string) string) []string {
	if values == nil {
		return nil
	}
	out := make([]string, len(values))
	for i, value := range values {
		out[i] = f(strings.TrimSpace(value))
	}
	return out
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// fieldProblem is a validation Problem of one field.
func fieldProblem(location, message string) error {
	var c attribution.Checker
	c.Add(location, "%s", message)
	return c.Err()
}

// refused records that what a field refers to cannot be used, and returns any
// other error.
func (c *fieldCheck) refused(location, id string, err error) error {
	problem, refused := attribution.AsProblem(err)
	switch {
	case refused && id == "":
		c.Add(location, "is required")
	case refused:
		c.Add(location, "%s", problem.Detail)
	default:
		return err
	}
	return nil
}
