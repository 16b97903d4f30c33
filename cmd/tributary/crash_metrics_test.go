package main

import (
	"fmt"
	"slices"
	"testing"
)

// TestMetricsOthersRelyOn: a click and what became of it are in the metrics that
// dashboards and alerts are built on.
func TestMetricsOthersRelyOn(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeKnownLinks(1)[0]
	a.click(link, phone)
	a.click(link, "curl/8.14.1")
	a.shipping(1)
	a.drained()
	for sample, want := range map[string]float64{
		`tributary_clicks_received_total{verdict="valid"}`: 1,
		`tributary_clicks_received_total{verdict="bot"}`:   1,
		`tributary_clicks_received_total{verdict="probe"}`: 0,
		unrecorded:                         0,
		spoolRecords:                       0,
		shippedRows:                        2,
		`tributary_redirect_seconds_count`: 2,
	} {
		if got, err := a.metric(sample); err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", sample, got, err, want)
		}
	}
	eventually(t, func() error {
		lag, err := a.metric("tributary_ship_lag_seconds")
		if err == nil && lag != 0 {
			err = fmt.Errorf("the lag is %v s with nothing to ship", lag)
		}
		return err
	})
	// A reason shows once there was one.
	if !slices.ContainsFunc(a.metrics.sorted(), func(e metricEntry) bool { return e.Name == "tributary_quarantined_total" }) {
		t.Error("there is no tributary_quarantined_total")
	}
}
