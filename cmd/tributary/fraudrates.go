package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/admin/reports"
	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
)

// fraudRatesInterval is how often it is looked whether an hour is over whose
// conversion rates are to be looked at.
const fraudRatesInterval = time.Minute

// A rateLooker asks the rule conversion_rate about every creator, once an hour.
type rateLooker struct {
	money      *ledger.Ledger
	clickhouse driver.Conn
	freshness  reports.Freshness // clicks on their way are waited for: they are what orders are measured by
	now        func() time.Time
}

// lookAtRates looks until ctx ends, once ClickHouse has the tables. Two nodes may do
// it at once: that a creator was told of is asked in the transaction that tells.
func (a *app) lookAtRates(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-a.migrated:
		a.every(ctx, fraudRatesInterval, "conversion rates could not be looked at; it is tried again", a.rateLooker().look)
	}
}

func (a *app) rateLooker() *rateLooker {
	return &rateLooker{money: a.money, clickhouse: a.clickhouse, freshness: a.freshness(), now: a.now}
}

// look looks at the rates up to the last hour that is over and whose clicks have
// all arrived.
func (r *rateLooker) look(ctx context.Context) error {
	through := attribution.InstantOf(r.freshness.DataThrough(r.now()))
	looks, err := r.money.RatesDue(ctx, through)
	if err != nil {
		return err
	}
	for _, look := range looks {
		rates, err := r.rates(ctx, look)
		if err != nil {
			return err
		}
		if err := r.money.LookAtRates(ctx, look, rates); err != nil {
			return err
		}
	}
	return r.money.RatesLooked(ctx, through)
}

func (r *rateLooker) rates(ctx context.Context, look ledger.RateLook) (rates []ledger.CreatorRate, err error) {
	usual := look.From.Time().AddDate(0, 0, -attribution.RateDays).UnixMilli()
	rows, err := r.clickhouse.Query(ctx, schema.ClickHouseQuery("fraud_rates"),
		clickhouse.Named("advertisers", look.Advertisers), clickhouse.Named("usual_ms", usual), clickhouse.Named("from_ms", int64(look.From)),
		clickhouse.Named("to_ms", int64(look.To)), clickhouse.Named("least_orders", int64(attribution.MinRateOrders)),
		clickhouse.Named("least_clicks", int64(attribution.MinUsualClicks)))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for conversion rates: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var c ledger.CreatorRate
		if err := rows.Scan(&c.AdvertiserID, &c.CampaignID, &c.CreatorID, &c.Orders, &c.Clicks, &c.UsualOrders, &c.UsualClicks); err != nil {
			return nil, fmt.Errorf("read conversion rates: %w", err)
		}
		rates = append(rates, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read conversion rates: %w", err)
	}
	return rates, nil
}
