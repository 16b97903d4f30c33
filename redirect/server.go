package redirect

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/caller"
	"tributary/redirect/geo"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
	"tributary/redirect/visitor"
)

// The bounds of what a client may send and how long it may take.
const (
	// requestTimeout bounds waiting for a request and reading it, and writing its
	// answer.
	requestTimeout = 30 * time.Second
	// maxHeaderBytes bounds the request line and headers. A tracker on a brand's
	// subdomain is sent the brand's cookies, which are several KiB.
	maxHeaderBytes = 16 << 10
	// maxBodyBytes bounds a body outside of Intake.
	maxBodyBytes = attribution.MaxReportBytes
	// maxConnections bounds how many are open at once, with connectionLimit.
	maxConnections = 32 << 10
)

// A ClickLog takes click records out of kill -9's reach.
type ClickLog interface {
	// Append returns when the record is as safe as the log is configured for, or
	// with an error when that took too long. shard spreads appenders.
	Append(shard uint32, record []byte) error
	// Unrecorded counts the records that were refused and did not land after all.
	Unrecorded() uint64
	// Writable reports whether the log takes records.
	Writable() bool
}

// An Intake answers everything under /t/, which merchants report conversions to.
type Intake interface {
	// Serve answers a request from client, the address behind trusted proxies. Its
	// body is a stream that was not read yet. Left as one, it ends the connection.
	Serve(ctx *fasthttp.RequestCtx, path []byte, client netip.Addr)
	// Hurry ends what requests wait for longer than they must.
	Hurry()
}

// Misses finds links that the index does not have, where other nodes may.
type Misses interface {
	// Ask waits a bounded time. After links.Found the index has the slug, unless its
	// link was deleted meanwhile.
	Ask(slug []byte) links.Answer
}

// Options are what a Server works with. All but Now are required, except as
// said.
type Options struct {
	Links         *links.Index
	Misses        Misses // optional: without it, what the index does not have is unknown
	Limits        *links.Limits
	Rules         *verdict.Rules
	Rates         *verdict.RateWindow
	Geo           *geo.Databases
	Salts         *visitor.Salts
	ClickKeys     *attribution.ClickKeyring
	Clicks        ClickLog
	Intake        Intake                                     // optional: without it there is nothing under /t/
	DescribeAgent func(userAgent string) (device, os string) // asked only by rules that target devices
	Proxies       *caller.Proxies                            // optional: those trusted, which may change
	Registerer    prometheus.Registerer
	Logger        *slog.Logger
	Unfit         func() error     // optional: why nobody should be sent here, which /readyz tells anybody; nil for no reason
	Now           func() time.Time // optional: a rehearsal's clock
	Sandbox       bool             // marks every answer with X-Tributary-Sandbox
}

// A Server is the tracker's HTTP server.
type Server struct {
	options   Options
	rules     atomic.Pointer[verdict.Rules]
	rates     atomic.Pointer[verdict.RateWindow]
	http      fasthttp.Server
	metrics   *collector
	hits      sync.Pool
	nextShard atomic.Uint32
	serving   atomic.Pointer[sweeper]
	leaving   atomic.Bool
	stopping  atomic.Bool
	timeout   time.Duration // of one step of a connection
	maxOpen   int           // connections

	crowdedOut atomic.Uint64 // connections
}

// counterShards is how many sets of counters there are; a power of two.
const counterShards = 16

// New makes a Server; it listens to nothing yet.
func New(o Options) (*Server, error) {
	s := &Server{
		options: o,
		timeout: requestTimeout,
		maxOpen: connectionLimit(),
	}
	s.metrics = newCollector(counterShards, o.Clicks.Unrecorded, s.crowdedOut.Load)
	if err := o.Registerer.Register(s.metrics); err != nil {
		return nil, fmt.Errorf("register the tracker's metrics: %w", err)
	}
	s.rules.Store(o.Rules)
	s.rates.Store(o.Rates)
	s.hits.New = func() any { return s.newHit() }
	s.http = fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 s.malformed,
		ReadBufferSize:               maxHeaderBytes,
		StreamRequestBody:            true,               // body.go
		MaxRequestBodySize:           1,                  // byte that is read ahead; there is no fewer
		Concurrency:                  2 * maxConnections, // the sweeper bounds connections
		NoDefaultServerHeader:        true,
		NoDefaultDate:                true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
		TCPKeepalive:                 true,
		Logger:                       quietLogger{o.Logger},
	}
	return s, nil
}

// Serve answers the listener's connections until Shutdown.
func (s *Server) Serve(listener net.Listener) error {
	sweeper := newSweeper(listener, s.timeout, s.maxOpen, &s.crowdedOut)
	s.serving.Store(sweeper)
	return s.http.Serve(sweeper)
}

// SetRules puts other verdict rules in force for the hits that follow.
func (s *Server) SetRules(rules *verdict.Rules) { s.rules.Store(rules) }

// SetRates puts another limit in force for the hits that follow, with counts of its
// own.
func (s *Server) SetRates(rates *verdict.RateWindow) { s.rates.Store(rates) }

// Leave makes the tracker unready and changes nothing else: whoever balances load
// learns that it is about to stop while it serves as before.
func (s *Server) Leave() { s.leaving.Store(true) }

// Ready says why the tracker cannot do its job; nil when it can. ClickHouse,
// PostgreSQL or Redis being down is no reason.
func (s *Server) Ready() error {
	switch {
	case s.leaving.Load(), s.stopping.Load():
		return errors.New("the tracker is stopping")
	case !s.options.Clicks.Writable():
		return errors.New("the click spool cannot be written: check the disk of the data directory")
	case !s.options.Links.Stats().Ready:
		return errors.New("the links are still being loaded")
	case s.options.Unfit != nil:
		return s.options.Unfit()
	}
	return nil
}

// handle answers one request. A panic in a fasthttp handler would end the
// process; here it ends the request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	h := s.hits.Get().(*hit)
	defer s.finish(ctx, h)
	s.answer(ctx, h)
}

func (s *Server) answer(ctx *fasthttp.RequestCtx, h *hit) {
	h.headers.scan(ctx.Request.Header.RawHeaders())
	if why := refusal(&ctx.Request.Header, &h.headers); why != "" {
		h.counters.refused.Add(1)
		refuse(ctx, why)
		return
	}
	path, query := pathAndQuery(ctx.Request.Header.RequestURI())
	if s.options.Intake != nil && bytes.HasPrefix(path, intakePrefix) {
		s.options.Intake.Serve(ctx, path, s.clientOf(ctx, h))
		return
	}
	if !s.discard(ctx) {
		return
	}
	switch string(path) {
	case "/", "/t":
		notFound(ctx)
	case "/robots.txt":
		respond(ctx, fasthttp.StatusOK, "text/plain; charset=utf-8", robots)
	case "/favicon.ico":
		ctx.SetStatusCode(fasthttp.StatusNoContent)
	case "/healthz":
		respond(ctx, fasthttp.StatusOK, "text/plain; charset=utf-8", "ok\n")
	case "/readyz":
		s.readyz(ctx)
	default:
		s.click(ctx, h, path[1:], query)
	}
}

var intakePrefix = []byte("/t/")

// clientOf is the address of who asks, with trusted proxies seen through; invalid
// for a connection that has none.
func (s *Server) clientOf(ctx *fasthttp.RequestCtx, h *hit) netip.Addr {
	peer, ok := ctx.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return s.options.Proxies.Client(peer.AddrPort().Addr(), h.headers.forwardedFor)
}

func (s *Server) finish(ctx *fasthttp.RequestCtx, h *hit) {
	if fault := recover(); fault != nil {
		h.counters.panics.Add(1)
		s.options.Logger.Error("a request failed; this is a bug", "fault", fault, "stack", string(debug.Stack()))
		ctx.Response.Reset()
		ctx.Response.Header.SetNoDefaultContentType(true)
		respond(ctx, fasthttp.StatusInternalServerError, "text/plain; charset=utf-8", "internal error\n")
		ctx.SetConnectionClose()
	}
	if (h.headers.contentLength || h.headers.transferCoding) && !ctx.IsPost() {
		// A body nobody expects here may hold what another parser calls the next
		// request.
		ctx.SetConnectionClose()
	}
	if ctx.Request.IsBodyStream() {
		ctx.SetConnectionClose() // the rest of the body would be taken for the next request
	}
	if s.options.Sandbox {
		ctx.Response.Header.SetCanonical(headerSandbox, valueTrue)
	}
	if s.stopping.Load() {
		ctx.SetConnectionClose()
	}
	h.forget()
	s.hits.Put(h)
}

func (s *Server) readyz(ctx *fasthttp.RequestCtx) {
	if err := s.Ready(); err != nil {
		respond(ctx, fasthttp.StatusServiceUnavailable, "text/plain; charset=utf-8", err.Error()+"\n")
		return
	}
	respond(ctx, fasthttp.StatusOK, "text/plain; charset=utf-8", "ready\n")
}

// malformed answers what fasthttp could not read as a request.
func (s *Server) malformed(ctx *fasthttp.RequestCtx, err error) {
	status := fasthttp.StatusBadRequest
	var tooSmall *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &tooSmall):
		status = fasthttp.StatusRequestHeaderFieldsTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		status = fasthttp.StatusRequestEntityTooLarge
	}
	ctx.Response.Header.SetNoDefaultContentType(true)
	respond(ctx, status, "text/plain; charset=utf-8", fasthttp.StatusMessage(status)+"\n")
	ctx.SetConnectionClose()
}

// A quietLogger keeps fasthttp's per-connection complaints, which any client can
// cause at will, at debug level.
type quietLogger struct{ *slog.Logger }

func (l quietLogger) Printf(format string, args ...any) {
	l.Debug("http", "message", fmt.Sprintf(format, args...))
}
