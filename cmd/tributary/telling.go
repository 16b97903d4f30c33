package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/admin"
	"tributary/admin/events"
	"tributary/admin/integrations"
	"tributary/admin/notify"
	"tributary/admin/webhooks"
)

// telling is what tells others of what happens.
type telling struct {
	hooks   *webhooks.Service
	notices *notify.Service
	ways    *integrations.Service
	pump    *events.Pump
}

func (t *telling) routes() []admin.Routes {
	return []admin.Routes{t.hooks.Routes, t.notices.Routes, t.ways.Routes}
}

// rehearsedCatchUp is how far back a rehearsal tells creators of campaigns that
// start: its clock moves by months at once.
const rehearsedCatchUp = 366 * 24 * time.Hour

// tell hands on what happens until the stop: first what reads the outbox ends,
// then what sends.
func (a *app) tell(context.Context, appConfig) (err error) {
	if !a.options.Admin {
		return nil
	}
	key, err := hkdf.Key(sha256.New, a.secrets.KeyPepper, nil, "tributary webhook secrets", 32)
	if err != nil {
		return fmt.Errorf("derive the key of webhooks' secrets: %w", err)
	}
	t := &telling{ways: integrations.New(integrations.Options{DB: a.db, Things: a.things, Now: a.now, Log: a.log})}
	notices := notify.Options{DB: a.db, Things: a.things, Today: a.now, Log: a.log, Registerer: a.metrics}
	if a.clock != nil {
		notices.CatchUp = rehearsedCatchUp
	}
	if a.options.SMTP != "" {
		if notices.Mail, err = notify.ParseServer(string(a.options.SMTP)); err != nil {
			return fmt.Errorf("--smtp: %w", err)
		}
	}
	if t.notices, err = notify.New(notices); err != nil {
		return err
	}
	t.hooks, err = webhooks.New(webhooks.Options{
		DB: a.db, Things: a.things, Key: key, Networks: a.options.WebhookNetworks, Notices: t.notices, Log: a.log, Registerer: a.metrics,
	})
	if err != nil {
		return err
	}
	t.pump = events.New(events.Options{
		DB: a.db, Ledger: a.money, Things: a.things, Sinks: []events.Sink{t.hooks, t.notices, t.ways}, Log: a.log, Registerer: a.metrics,
	})
	a.life.background("webhooks", t.hooks.Run)
	if notices.Mail != nil {
		a.life.background("e-mails", t.notices.RunMail)
	}
	// Two nodes may do these at once: a notice has a name under which it is kept once,
	// and only one of two pumps passes a message. Webhooks and e-mails, above, are sent
	// by every node: each delivery is claimed.
	a.scheduled("campaigns that start", func(ctx context.Context) { t.notices.RunStarts(ctx, 0) })
	a.scheduled("events", t.pump.Run)
	a.telling = t
	a.metrics.MustRegister(newOutboxMeter(a.money.OutboxBehind))
	return nil
}

// What counting the outbox may cost whoever reads the metrics, however often they
// do: the table is as long as the slowest reader is behind.
const (
	outboxCountTimeout = 2 * time.Second
	outboxCountFor     = 5 * time.Second
)

// An outboxMeter counts what readers of the outbox have not passed.
type outboxMeter struct {
	*prometheus.Desc
	count func(context.Context) (map[string]int64, error)

	mu      sync.Mutex
	counted time.Time
	behind  map[string]int64
}

func newOutboxMeter(count func(context.Context) (map[string]int64, error)) *outboxMeter {
	return &outboxMeter{count: count, Desc: prometheus.NewDesc("tributary_outbox_messages",
		"Messages of the ledger's outbox that a reader has not passed, counted every 5 seconds at most.", []string{"reader"}, nil)}
}

// Describe implements prometheus.Collector.
func (m *outboxMeter) Describe(to chan<- *prometheus.Desc) { to <- m.Desc }

// Collect implements prometheus.Collector. A database that is down is told
// elsewhere: here nothing is said of what is not known.
func (m *outboxMeter) Collect(to chan<- prometheus.Metric) {
	for reader, messages := range m.latest() {
		to <- prometheus.MustNewConstMetric(m.Desc, prometheus.GaugeValue, float64(messages), reader)
	}
}

func (m *outboxMeter) latest() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counted.IsZero() || time.Since(m.counted) >= outboxCountFor {
		ctx, cancel := context.WithTimeout(context.Background(), outboxCountTimeout)
		defer cancel()
		behind, err := m.count(ctx)
		if err != nil {
			behind = nil
		}
		m.behind, m.counted = behind, time.Now()
	}
	return m.behind
}

// checkMailServer signs in to the mail server and sends nothing.
func checkMailServer(ctx context.Context, x *examination) {
	const subject = "mail server"
	if x.options.SMTP == "" {
		return
	}
	server, err := notify.ParseServer(string(x.options.SMTP))
	if err == nil {
		err = server.Check(ctx)
	}
	if err != nil {
		x.found(warning, subject, "correct --smtp, or mend the server: e-mails wait for 3 days", "%v", err)
		return
	}
	x.found(fine, subject, "", "%s takes e-mails", x.options.SMTP)
}
