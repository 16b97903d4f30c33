package attribution

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// exponents are the decimals of the active ISO 4217 codes.
var exponents = func() map[string]int8 {
	all := map[string]int8{}
	for decimals, codes := range map[int8]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		2: `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
			CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
			JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
			NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
			SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	} {
		for _, code := range strings.Fields(codes) {
			all[code] = decimals
		}
	}
	return all
}()

// CurrencyExponent returns how many decimals the currency's minor unit has
// (ISO 4217), and whether the code is known.
func CurrencyExponent(currency string) (int, bool) {
	if exponent, known := exponents[currency]; known {
		return int(exponent), true
	}
	return 2, false
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

// An Amount is money that is not written yet: minor units and the decimals of
// their currency. The zero Amount is none, and is written as "".
type Amount struct {
	minor int64
	form  int8 // its decimals and one
}

// AmountOf is an amount of a currency.
func AmountOf(minor int64, currency string) Amount {
	exponent, _ := CurrencyExponent(currency)
	return Amount{minor, int8(exponent) + 1}
}

// String writes the amount as FormatMoney does.
func (a Amount) String() string {
	if a.form == 0 {
		return ""
	}
	return formatScaled(a.minor, int(a.form)-1)
}

// MarshalText writes the amount.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote: its decimals tell the currency's.
func (a *Amount) UnmarshalText(text []byte) error {
	*a = Amount{}
	if len(text) == 0 {
		return nil
	}
	decimals := 0
	if point := bytes.IndexByte(text, '.'); point >= 0 {
		decimals = len(text) - point - 1
	}
	minor, err := strconv.ParseInt(string(bytes.Replace(text, []byte("."), nil, 1)), 10, 64)
	if err != nil || decimals > maxDecimals {
		return fmt.Errorf("must be an amount such as 12.50")
	}
	*a = Amount{minor, int8(decimals) + 1}
	return nil
}

// maxDecimals are the most that a currency has.
const maxDecimals = 4

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
	n, seen, decimals := int64(0), 0, -1 // decimals: digits behind the point; -1: no point yet
	for i := range len(digits) {
		c := digits[i]
		switch {
		case c == '.' && decimals < 0 && seen > 0:
			decimals = 0
			continue
		case c < '0' || c > '9' || decimals == exponent:
			return 0, strconv.ErrSyntax
		case decimals >= 0:
			decimals++
		}
		seen++
		n = min(n*10+int64(c-'0'), maxMinor+1) // too much stays too much
	}
	if seen == 0 || decimals == 0 {
		return 0, strconv.ErrSyntax
	}
	for range exponent - max(decimals, 0) {
		n = min(n*10, maxMinor+1)
	}
	if n > maxMinor {
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
	var memory [24]byte
	return string(appendScaled(memory[:0], n, exponent))
}

func appendScaled(dst []byte, n int64, exponent int) []byte {
	u := uint64(n)
	if n < 0 {
		dst, u = append(dst, '-'), -u
	}
	unit := uint64(1)
	for range exponent {
		unit *= 10
	}
	dst = strconv.AppendUint(dst, u/unit, 10)
	if exponent == 0 {
		return dst
	}
	dst = append(dst, '.')
	for rest := u % unit; unit > 1; rest %= unit {
		unit /= 10
		dst = append(dst, byte('0'+rest/unit))
	}
	return dst
}
