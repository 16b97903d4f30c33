package ledger

import (
	"context"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// A Rate is the operator's exchange rate of one day: one unit of Base is Rate
// units of Quote.
type Rate struct {
	Day   string              `json:"day" doc:"UTC, such as 2027-01-31" example:"2027-01-31"`
	Base  string              `json:"base" example:"EUR"`
	Quote string              `json:"quote" example:"USD"`
	Rate  attribution.Decimal `json:"rate" doc:"Units of quote for one of base" example:"1.0842"`
}

// MaxRates is how many rates one call sets.
const MaxRates = 1_000

var rateForm = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,12})?$`)

// SetRates sets exchange rates, all or none. What was converted before stays as
// it is.
func (l *Ledger) SetRates(ctx context.Context, scope Scope, rates []Rate) error {
	if !scope.admin() {
		return forbidden(scope, "set exchange rates")
	}
	var check attribution.Checker
	check.Require(len(rates) > 0 && len(rates) <= MaxRates, "body.items", "must be 1 to %d rates", MaxRates)
	for i := range rates {
		rates[i].check(&check, "body.items["+strconv.Itoa(i)+"]")
	}
	if err := check.Err(); err != nil {
		return err
	}
	return l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		for _, r := range rates {
			if _, err := w.Exec(ctx, "ledger.keep_rate", r.Day, r.Base, r.Quote, string(r.Rate), int64(w.at)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *Rate) check(check *attribution.Checker, at string) {
	r.Base, r.Quote = strings.ToUpper(strings.TrimSpace(r.Base)), strings.ToUpper(strings.TrimSpace(r.Quote))
	_, err := time.Parse(time.DateOnly, r.Day)
	check.Require(err == nil, at+".day", "must be a day such as 2027-01-31")
	for name, currency := range map[string]string{".base": r.Base, ".quote": r.Quote} {
		_, known := attribution.CurrencyExponent(currency)
		check.Require(known, at+name, "must be an ISO 4217 currency such as USD")
	}
	check.Require(r.Base != r.Quote, at+".quote", "must be another currency than base")
	value, _ := new(big.Rat).SetString(string(r.Rate))
	check.Require(rateForm.MatchString(string(r.Rate)) && value.Sign() > 0, at+".rate", "must be a decimal above zero, with at most 12 decimals")
}

// A RateFilter narrows a list of rates: every field that is given.
type RateFilter struct{ Day, Base, Quote string }

// Rates lists exchange rates, newest day first.
func (l *Ledger) Rates(ctx context.Context, scope Scope, f RateFilter, p Page) (List[Rate], error) {
	list := List[Rate]{Items: []Rate{}}
	if !scope.admin() && !scope.advertiser() {
		return list, forbidden(scope, "see exchange rates")
	}
	limit, err := p.limit()
	if err != nil {
		return list, err
	}
	given := database.Given{"day": f.Day, "base": strings.ToUpper(f.Base), "quote": strings.ToUpper(f.Quote), "before_key": p.Cursor, "limit": limit + 1}
	rows, err := l.db.Filter(ctx, "ledger.rate_list", given)
	if err != nil {
		return list, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Rate
		var at int64
		if err := rows.Scan(&r.Day, &r.Base, &r.Quote, &r.Rate, &at); err != nil {
			return list, fmt.Errorf("ledger: reading an exchange rate: %w", err)
		}
		list.Items = append(list.Items, r)
	}
	if len(list.Items) > limit {
		list.Items = list.Items[:limit]
		last := list.Items[limit-1]
		list.NextCursor = last.Day + last.Base + last.Quote
	}
	return list, rows.Err()
}
