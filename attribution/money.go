package attribution

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Decimal is an exact decimal as it was written. In JSON it is accepted as a
// string or a number and never passes through floating point.
type Decimal string

// UnmarshalJSON takes "12.50" and 12.50 alike, keeping the digits as written.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*d = Decimal(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("must be a decimal as a string or a number")
	}
	*d = Decimal(n)
	return nil
}

// wideExponents lists the currencies whose minor unit is not a hundredth
// (ISO 4217). Every other three-letter code has two decimals.
var wideExponents = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// currencies are the active ISO 4217 codes with two decimals.
var currencies = strings.Fields(`AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN
BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD
HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`)

// CurrencyExponent returns how many decimals the currency's minor unit has
// (ISO 4217), and whether the code is known.
func CurrencyExponent(currency string) (int, bool) {
	if exponent, wide := wideExponents[currency]; wide {
		return exponent, true
	}
	return 2, slices.Contains(currencies, currency)
}

// ParseMoney reads a decimal amount into minor units of the currency. More
// decimals than the currency has are an error, never a rounding; so are
// exponents, signs other than a leading minus, and amounts beyond ±10¹⁵ minor
// units.
func ParseMoney(amount Decimal, currency string) (minor int64, err error) {
	exponent, known := CurrencyExponent(currency)
	if !known {
		return 0, fmt.Errorf("currency %q is not an ISO 4217 code", currency)
	}
	minor, err = parseScaled(string(amount), exponent)
	if err != nil {
		return 0, fmt.Errorf("must be an amount of %s with at most %d decimals, such as %q", currency, exponent, FormatMoney(1250, currency))
	}
	return minor, nil
}

// FormatMoney writes minor units as a decimal in the currency's own exponent:
// 4990 USD is "49.90", 500 JPY is "500".
func FormatMoney(minor int64, currency string) string {
	exponent, _ := CurrencyExponent(currency)
	return formatScaled(minor, exponent)
}

// rateDecimals is the precision of a rate: a millionth.
const rateDecimals = 6

// RateOne is a Rate of 100 %.
const RateOne Rate = 1_000_000

// A Rate is a share in millionths: "0.10" (10 %) is 100000.
type Rate int64

// ParseRate reads a decimal share between 0 and 1 with at most six decimals.
func ParseRate(d Decimal) (Rate, error) {
	n, err := parseScaled(string(d), rateDecimals)
	if err != nil || n < 0 || n > int64(RateOne) {
		return 0, fmt.Errorf("must be a decimal from \"0\" to \"1\" with at most %d decimals, such as \"0.10\" for 10 %%", rateDecimals)
	}
	return Rate(n), nil
}

// String writes the rate as a decimal without needless zeros: "0.1".
func (r Rate) String() string {
	s := strings.TrimRight(formatScaled(int64(r), rateDecimals), "0")
	return strings.TrimSuffix(s, ".")
}

func parseScaled(s string, exponent int) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if whole == "" || (hasPoint && fraction == "") || len(fraction) > exponent {
		return 0, strconv.ErrSyntax
	}
	all := whole + fraction + strings.Repeat("0", exponent-len(fraction))
	for i := range len(all) {
		if all[i] < '0' || all[i] > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	n, err := strconv.ParseInt(all, 10, 64)
	if err != nil || n > maxMinor {
		return 0, strconv.ErrRange
	}
	if negative {
		n = -n
	}
	return n, nil
}

// maxMinor keeps sums of many amounts far from overflow.
const maxMinor = 1_000_000_000_000_000

func formatScaled(n int64, exponent int) string {
	sign := ""
	u := uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	if exponent == 0 {
		return sign + strconv.FormatUint(u, 10)
	}
	unit := uint64(math.Pow10(exponent))
	return fmt.Sprintf("%s%d.%0*d", sign, u/unit, exponent, u%unit)
}
