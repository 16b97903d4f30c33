package attribution

import (
	"flag"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

var exactSeed = flag.Uint64("exact.seed", 0, "seed of the arithmetic's random numbers; 0: another each time")

// TestArithmeticIsExact compares payouts, their rounding and costs with
// math/big over random numbers of every size.
//
//	go test ./attribution -run ArithmeticIsExact -v -exact.seed 7
func TestArithmeticIsExact(t *testing.T) {
	seed := *exactSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -exact.seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	upTo := func(most int64) int64 { // as often small as large, and often a bound
		switch random.IntN(8) {
		case 0:
			return most
		case 1:
			return 0
		}
		return int64(random.Uint64N(uint64(most>>random.IntN(40)) + 1))
	}
	for range 200_000 {
		var sum exactPayout
		exact := new(big.Int)
		for range 1 + random.IntN(3) {
			a, b, c := upTo(maxMinor), upTo(int64(RateOne)), int64(1)
			if random.IntN(2) == 0 {
				b, c = upTo(math.MaxInt64), microPerMinor
			}
			sum.add(microProduct(a, b, c))
			exact.Add(exact, new(big.Int).Mul(big.NewInt(a), new(big.Int).Mul(big.NewInt(b), big.NewInt(c))))
		}
		if most := new(big.Int).Mul(big.NewInt(maxMinor), big.NewInt(microPerMinor)); exact.Cmp(most) > 0 {
			exact = most
		}
		if got := bigOf(sum); got.Cmp(exact) != 0 {
			t.Fatalf("a payout is %v, want %v", got, exact)
		}
		den := 1 + upTo(math.MaxInt64-1)
		credit := Fraction{min(upTo(math.MaxInt64), den), den}
		if got, want := sum.minor(credit), halfAwayFromZero(new(big.Int).Mul(exact, big.NewInt(credit.Num)), new(big.Int).Mul(big.NewInt(microPerMinor), big.NewInt(den))); got != want.Int64() {
			t.Fatalf("%v of %v is %d, want %d", credit, exact, got, want)
		}
		payout, margin := upTo(maxMinor), Rate(upTo(int64(RateOne)-1))
		agency := Rate(upTo(int64(RateOne - 1 - margin)))
		want := halfAwayFromZero(new(big.Int).Mul(big.NewInt(payout), big.NewInt(int64(RateOne))), big.NewInt(int64(RateOne-margin-agency)))
		if most := big.NewInt(maxCostMinor); want.Cmp(most) > 0 {
			want = most
		}
		if got, back := CostMinor(payout, margin, agency), CostMinor(-payout, margin, agency); got != want.Int64() || back != -got {
			t.Fatalf("%d under %v and %v costs %d, back %d, want %d", payout, margin, agency, got, back, want)
		}
	}
}

func bigOf(e exactPayout) *big.Int {
	n := new(big.Int).Lsh(new(big.Int).SetUint64(e.hi), 64)
	return n.Or(n, new(big.Int).SetUint64(e.lo))
}

// halfAwayFromZero is num ÷ den rounded; neither is negative.
func halfAwayFromZero(num, den *big.Int) *big.Int {
	quotient, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if rest.Lsh(rest, 1).Cmp(den) >= 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}

func TestTextsOfNumbers(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		text     string
	}{
		{4990, "USD", "49.90"}, {5, "USD", "0.05"}, {-5, "USD", "-0.05"}, {-123456, "KWD", "-123.456"}, {500, "JPY", "500"}, {0, "JPY", "0"},
		{math.MinInt64, "USD", "-92233720368547758.08"}, {1, "CLF", "0.0001"},
	} {
		if got := FormatMoney(c.minor, c.currency); got != c.text {
			t.Errorf("%d %s is written %s", c.minor, c.currency, got)
		}
		amount := AmountOf(c.minor, c.currency)
		var back Amount
		if err := back.UnmarshalText([]byte(amount.String())); err != nil || back != amount || amount.String() != c.text {
			t.Errorf("%v is read back as %v, %v", amount, back, err)
		}
	}
	var none Amount
	if text, err := none.MarshalText(); err != nil || len(text) != 0 || none.UnmarshalText(text) != nil || none != (Amount{}) {
		t.Errorf("no amount is written %q", text)
	}
	for _, text := range []string{"x", "1.2.3", "1.23456", "."} {
		if new(Amount).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is an amount", text)
		}
	}
	for text, want := range map[string]int64{"0.05": 5, "10": 1000, "10.5": 1050, "-10.50": -1050, "0010.50": 1050, "10000000000000.00": maxMinor} {
		if got, err := ParseMoney(Decimal(text), "USD"); err != nil || got != want {
			t.Errorf("%s is read as %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", ".", ".5", "5.", "1.234", "1e3", "+1", "1 ", "10000000000000.01", "99999999999999999999", "--1", "1.-2"} {
		if got, err := ParseMoney(Decimal(text), "USD"); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}
