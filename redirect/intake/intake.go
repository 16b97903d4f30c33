package intake

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/caller"
	"tributary/redirect/credentials"
	"tributary/redirect/intake/fields"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
)

// The bounds of requests.
const (
	MaxBodyBytes    = attribution.MaxReportBytes // one report, and all that comes unsigned
	MaxArrayBytes   = 8 << 20                    // conversions or refunds of somebody with a credential
	MaxWait         = 10 * time.Second
	MaxRecordBytes  = 512 << 10 // the log must take records of this size
	timestampWindow = 5 * time.Minute
)

// DefaultRateLimit is how many unsigned reports of one advertiser a network may
// send. A network is many people: a /24 of a mobile carrier has thousands.
var DefaultRateLimit = verdict.Rate{Hits: 1200, WindowMs: 60_000}

// A ReportLog makes reports durable.
type ReportLog interface {
	// AppendAll returns nil once all records are on disk. shard spreads appenders.
	AppendAll(shard uint32, records [][]byte) error
}

// Advertisers finds the advertiser that pixels and tags name. links.Index does.
type Advertisers interface {
	AdvertiserByPublicKey(key string) (*links.Advertiser, bool)
	Stats() links.Stats
}

// A Waiter tells what became of reports: those of receiptIDs that were settled
// before ctx ended, in any order, as an admin or a merchant sees them.
type Waiter interface {
	Wait(ctx Context, receiptIDs []string, admin bool) []Settled
}

// Options are what an Intake works with. All are required but Waiter, Now,
// RateLimit, KeyLimit and BodyMemory.
type Options struct {
	Credentials *credentials.Store
	Advertisers Advertisers
	Log         ReportLog
	Waiter      Waiter           // nil: ?wait is not waited for
	CustomerKey []byte           // keys the hashes of customer ids; must stay the same for ever
	Now         func() time.Time // when reports are received: a rehearsal's clock
	RateLimit   verdict.Rate     // unsigned reports per network and advertiser; DefaultRateLimit
	KeyLimit    caller.Limit     // keys that open nothing, per network; caller.KeyLimit
	BodyMemory  int64            // bytes that long bodies take together; DefaultBodyMemory
	Registerer  prometheus.Registerer
	Logger      *slog.Logger
}

// An Intake answers what is under /t/.
type Intake struct {
	o         Options
	reader    *fields.Reader
	rates     *verdict.RateWindow
	tries     *caller.Tries
	seed      maphash.Seed // spreads advertisers over the rate window's keys
	tag       tagFile
	metrics   *metrics
	clock     func() time.Time // real time, for signatures and rates
	batches   sync.Pool
	bodies    sync.Pool
	lender    lender
	nextShard atomic.Uint32

	waiting context.Context // ends what waits for the settler
	hurry   context.CancelFunc
}

// New makes an Intake.
func New(o Options) (*Intake, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RateLimit == (verdict.Rate{}) {
		o.RateLimit = DefaultRateLimit
	}
	if o.KeyLimit == (caller.Limit{}) {
		o.KeyLimit = caller.KeyLimit
	}
	if o.BodyMemory == 0 {
		o.BodyMemory = DefaultBodyMemory
	}
	if len(o.CustomerKey) < fields.MinCustomerKeyBytes {
		return nil, fmt.Errorf("the key of customer ids has %d bytes, want at least %d", len(o.CustomerKey), fields.MinCustomerKeyBytes)
	}
	x := &Intake{
		o: o, reader: fields.NewReader(o.CustomerKey, o.Now), rates: verdict.NewRateWindow(o.RateLimit), tries: caller.NewTries(o.KeyLimit),
		seed: maphash.MakeSeed(), metrics: newMetrics(), clock: time.Now,
	}
	if err := x.metrics.register(o.Registerer); err != nil {
		return nil, fmt.Errorf("register the metrics of conversions: %w", err)
	}
	var err error
	if x.tag, err = loadTag(); err != nil {
		return nil, err
	}
	x.batches.New = func() any { return &batch{shard: x.nextShard.Add(1)} }
	x.bodies.New = func() any { return &body{bytes: make([]byte, 0, firstMemory), lender: &x.lender} }
	x.waiting, x.hurry = context.WithCancel(context.Background())
	return x, nil
}

// Hurry answers those who wait for what became of their reports, now and from now
// on, with what is known: the tracker is about to stop. Everything else goes on.
func (x *Intake) Hurry() { x.hurry() }

// Serve answers a request under /t/, whose body was not read yet. client is the
// address it came from, with trusted proxies seen through.
func (x *Intake) Serve(ctx *fasthttp.RequestCtx, path []byte, client netip.Addr) {
	switch string(path) {
	case "/t/conversions":
		x.reports(ctx, attribution.ReportConversion, client)
	case "/t/refunds":
		x.reports(ctx, attribution.ReportRefund, client)
	case "/t/postback":
		x.postback(ctx, client)
	case "/t/pixel.gif":
		x.pixel(ctx, client)
	case "/t/event":
		x.event(ctx, client)
	case "/t/tag.js":
		x.serveTag(ctx)
	default:
		refuse(ctx, &refusal{fasthttp.StatusNotFound, attribution.CodeNotFound, "there is nothing here"})
	}
}
