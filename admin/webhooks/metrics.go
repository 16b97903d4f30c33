package webhooks

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The results of attempts, as metrics name them.
const (
	resultDelivered = "delivered"
	resultRefused   = "refused_target" // the address is not public
	resultStatus    = "status"         // an answer other than 2xx
	resultTimeout   = "timeout"
	resultError     = "error" // no answer
)

type metrics struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
	waiting  prometheus.Gauge
	disabled prometheus.Counter
	givenUp  prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_webhook_attempts_total", Help: "Requests to webhooks, by result: delivered, status (an answer other than 2xx), timeout, error, refused_target.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tributary_webhook_attempt_seconds", Help: "Time of one request to a webhook.", Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 15},
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tributary_webhook_deliveries_waiting", Help: "Deliveries that wait to be sent or sent again, of every process on the database.",
		}),
		disabled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tributary_webhooks_disabled_total", Help: "Webhooks that were disabled for their failures.",
		}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tributary_webhook_deliveries_failed_total", Help: "Deliveries given up after 3 days.",
		}),
	}
	registry.MustRegister(m.attempts, m.seconds, m.waiting, m.disabled, m.givenUp)
	return m
}
