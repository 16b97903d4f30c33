package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"tributary/attribution"
)

// converted is a conversion in another currency at the operator's rate for the
// day of the event (UTC), each amount rounded half away from zero; nil without
// a rate.
func (w *writing) converted(ctx context.Context, c *attribution.Conversion, currency string) (*attribution.Conversion, error) {
	var text string
	err := w.Row(ctx, "ledger.fx_rate", c.EventTime.Time().Format(time.DateOnly), c.Currency, currency).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading an exchange rate: %w", err)
	}
	rate, valid := new(big.Rat).SetString(text)
	if !valid {
		return nil, fmt.Errorf("ledger: the rate %q of %s to %s is no decimal", text, c.Currency, currency)
	}
	from, _ := attribution.CurrencyExponent(c.Currency)
	to, _ := attribution.CurrencyExponent(currency)
	ten := big.NewInt(10)
	rate.Mul(rate, new(big.Rat).SetFrac(new(big.Int).Exp(ten, big.NewInt(int64(to)), nil), new(big.Int).Exp(ten, big.NewInt(int64(from)), nil)))
	other := *c
	other.Currency = currency
	other.Items = slices.Clone(c.Items)
	amounts := []*int64{&other.AmountMinor, &other.TaxMinor, &other.ShippingMinor}
	for i := range other.Items {
		amounts = append(amounts, &other.Items[i].PriceMinor, &other.Items[i].DiscountMinor)
	}
	for _, amount := range amounts {
		*amount = proportion(*amount, rate)
	}
	return &other, nil
}

// proportion is amount × share, rounded half away from zero.
func proportion(amount int64, share *big.Rat) int64 {
	var num, den big.Int
	num.Mul(big.NewInt(amount), share.Num())
	den.Set(share.Denom())
	negative := num.Sign() < 0
	num.Abs(&num)
	num.Lsh(&num, 1).Add(&num, &den) // floor((2·num + den) / (2·den))
	num.Quo(&num, den.Lsh(&den, 1))
	if negative {
		return -num.Int64()
	}
	return num.Int64()
}
