package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// Options are what a Service is made of.
type Options struct {
	DB     *database.DB
	Things Things
	Mail   *Server          // nil: no e-mails are written
	Today  func() time.Time // decides when campaigns start; time.Now by default
	Now    func() time.Time // of queues and retries; time.Now by default
	// CatchUp is how far back creators are told of campaigns that started while
	// nothing ran; 15 hours by default: to the end of the day.
	CatchUp    time.Duration
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Things reads what notifications speak of, as a scope may see it.
type Things interface {
	Campaign(ctx context.Context, scope catalog.Scope, id string) (catalog.Campaign, error)
	Creator(ctx context.Context, scope catalog.Scope, id string) (catalog.Creator, error)
	// CampaignsStarting are those that start in [from, to), OfferedTo one of them and
	// whom of some creators it is open to.
	CampaignsStarting(ctx context.Context, from, to attribution.Instant) ([]catalog.StartingCampaign, error)
	OfferedTo(ctx context.Context, campaignID string, creators []catalog.Creator) (catalog.Campaign, []catalog.Creator, error)
	Creators(ctx context.Context, scope catalog.Scope, filter catalog.CreatorFilter, p catalog.Page) (catalog.List[catalog.Creator], error)
}

// A Service keeps notifications and sends e-mails.
type Service struct {
	o         Options
	templates templates
	metrics   *metrics
	wake      chan struct{} // holds a token when there may be an e-mail to send
}

// defaultCatchUp ends before midnight when it begins at 08:00.
const defaultCatchUp = 15 * time.Hour

// New makes a Service.
func New(o Options) (*Service, error) {
	if o.Today == nil {
		o.Today = time.Now
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CatchUp == 0 {
		o.CatchUp = defaultCatchUp
	}
	templates, err := loadTemplates()
	if err != nil {
		return nil, err
	}
	return &Service{o: o, templates: templates, metrics: newMetrics(o.Registerer), wake: make(chan struct{}, 1)}, nil
}

// Kept implements events.Sink: there may be an e-mail to send.
func (s *Service) Kept() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// operator sees what notifications are made of.
var operator = catalog.Scope{Role: catalog.RoleAdmin}

type metrics struct {
	notifications *prometheus.CounterVec
	mails         *prometheus.CounterVec
	waiting       prometheus.Gauge
}

// What becomes of an attempt to send an e-mail, as metrics name it.
const (
	mailSent    = "sent"
	mailRetried = "retried"
	mailFailed  = "failed"
)

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_notifications_total", Help: "Notifications made, by the role they are for.",
		}, []string{"role"}),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tributary_mails_total", Help: "Attempts to send an e-mail, by result: sent, retried, failed (refused for good, or given up after 3 days).",
		}, []string{"result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tributary_mails_waiting", Help: "E-mails that wait to be sent, of every process on the database.",
		}),
	}
	registry.MustRegister(m.notifications, m.mails, m.waiting)
	return m
}
