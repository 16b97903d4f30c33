package webhooks

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/catalog"
	"tributary/schema/database"
)

// Options are what a Service is made of.
type Options struct {
	DB     *database.DB
	Things Things
	// Key seals secrets: 32 bytes that stay the same.
	Key []byte
	// Networks that are not public and webhooks may be sent to all the same, by
	// plain http too.
	Networks   []netip.Prefix
	Notices    Notices
	Now        func() time.Time // time.Now by default: retries keep real time in a rehearsal too
	Log        *slog.Logger
	Registerer prometheus.Registerer
	Resolver   *net.Resolver // the system's by default
}

// Things finds advertisers as a scope may see them.
type Things interface {
	Advertiser(ctx context.Context, scope catalog.Scope, id string) (catalog.Advertiser, error)
}

// An Alert tells the owner of a webhook that it fails.
type Alert struct {
	WebhookID    string
	AdvertiserID string // empty: the operator
	URL          string
	Failures     int64
	Disabled     bool
	Reason       string
	At           time.Time
}

// Notices tells owners what they must know, in the transaction that is under way.
type Notices interface {
	WebhookFails(ctx context.Context, tx *database.Tx, alert Alert) error
}

// A Service keeps webhooks and sends them what they are to be told.
type Service struct {
	o       Options
	sealer  sealer
	targets atomic.Pointer[targets]
	metrics *metrics
	wake    chan struct{} // holds a token when there may be something to send
}

// targets are where requests may go, and who brings them there.
type targets struct {
	networks         []netip.Prefix // beside public addresses
	client, insecure *http.Client   // for https, and for http
}

// New makes a Service.
func New(o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	sealer, err := newSealer(o.Key)
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, sealer: sealer, metrics: newMetrics(o.Registerer), wake: make(chan struct{}, 1)}
	s.targets.Store(s.reaching(o.Networks))
	return s, nil
}

func (s *Service) reaching(networks []netip.Prefix) *targets {
	return &targets{networks: networks, client: newClient(networks, false, s.o.Resolver), insecure: newClient(networks, true, s.o.Resolver)}
}

// SetNetworks changes the networks of Options.Networks for requests that follow.
// Connections that are kept for the next request are closed: they may lead where
// none may go any more.
func (s *Service) SetNetworks(networks []netip.Prefix) {
	before := s.targets.Swap(s.reaching(networks))
	before.client.CloseIdleConnections()
	before.insecure.CloseIdleConnections()
}

// Kept implements events.Sink: there may be something to send.
func (s *Service) Kept() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
