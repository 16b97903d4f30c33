package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestMetricsAccountForEverything: what was received is the sum of where it is, in
// the metrics themselves.
func TestMetricsAccountForEverything(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeKnownLinks(1)[0]
	for range 3 {
		a.click(link, phone)
	}
	order := map[string]any{"event": "sale", "order_id": "A-1", "amount": "10", "currency": "USD"}
	a.sold(link["advertiser_id"].(string), order)
	a.sold(link["advertiser_id"].(string), order)
	order["amount"] = "11"
	a.sold(link["advertiser_id"].(string), order)
	a.drained()
	eventually(t, func() error { // they are counted every 5 seconds at most
		for sample, want := range map[string]float64{
			`tributary_records{log="clicks",place="received"}`:                                      3,
			`tributary_records{log="clicks",place="stored"}`:                                        3,
			`tributary_records{log="clicks",place="spooled"}`:                                       0,
			`tributary_records{log="clicks",place="quarantined"}`:                                   0,
			`tributary_records{log="conversions",place="received"}`:                                 3,
			`tributary_records{log="conversions",place="accepted"}`:                                 1,
			`tributary_records{log="conversions",place="duplicate"}`:                                1,
			`tributary_records{log="conversions",place="conflict"}`:                                 1,
			`tributary_records_refused{log="conversions",place="conflict",reason="order_conflict"}`: 1,
			`tributary_records_unaccounted{log="clicks"}`:                                           0,
			`tributary_records_unaccounted{log="conversions"}`:                                      0,
		} {
			if got, err := a.metric(sample); err != nil || got != want {
				return fmt.Errorf("%s is %v (%v), want %v", sample, got, err, want)
			}
		}
		return nil
	})
}

// TestAccountMeterShowsWhatIsMissing: a record that is nowhere is told, one in two
// places too, and nothing is told of a store that is down.
func TestAccountMeterShowsWhatIsMissing(t *testing.T) {
	t.Parallel()
	is := func(a account, err error) func(context.Context) (account, error) {
		return func(context.Context) (account, error) { return a, err }
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newAccountMeter(
		is(account{"short", 10, map[string]uint64{"stored": 7, "spooled": 2}, nil}, nil),
		is(account{"long", 10, map[string]uint64{"stored": 7, "spooled": 5}, nil}, nil),
		is(account{log: "unknown", received: 10}, errors.New("it is down")),
	))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() == "tributary_records_unaccounted" {
			for _, metric := range family.GetMetric() {
				got[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
			}
		}
	}
	if len(got) != 2 || got["short"] != 1 || got["long"] != -2 {
		t.Errorf("unaccounted are %v", got)
	}
}

// TestAccountMeterLooksAgainSoonAfterAFailure: accounts that took long are not counted
// again for a while, but those that could not be counted are missed.
func TestAccountMeterLooksAgainSoonAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, failure := range []error{nil, errors.New("it starts")} {
			m := newAccountMeter(func(context.Context) (account, error) { time.Sleep(accountTimeout); return account{}, failure })
			m.latest()
			again, want := time.Until(m.next), accountShare*accountTimeout
			if failure != nil {
				want = accountFor
			}
			if again != want {
				t.Errorf("after %v it is counted again in %s, want %s", failure, again, want)
			}
		}
	})
}
