package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrAway is what calls fail with, at once, while Redis does not answer. It
// hides no other error: whoever gets it goes on without Redis.
var ErrAway = errors.New("redis is away")

// Options of a Client.
type Options struct {
	// Addresses are URLs, redis:// or, with TLS, rediss://, with user, password and
	// database as needed. One is a single server, or a Cluster where the server
	// says so; several are servers of one Cluster, and the first one's credentials
	// count.
	Addresses []string
	// Installation names what belongs together: nodes with the same name share
	// everything, others nothing. It is not secret, and becomes a part of keys.
	Installation string
	Log          *slog.Logger // nil: slog.Default()
}

// The bounds of every call. A caller's context may say less.
const (
	dialTimeout  = 500 * time.Millisecond
	replyTimeout = 300 * time.Millisecond
	poolSize     = 16 // connections to each server
	watchEvery   = time.Second
)

// A Client talks to the installation's Redis. All methods may be called by any
// number of goroutines.
type Client struct {
	installation string
	log          *slog.Logger
	servers      []*redis.Options // as the addresses say
	current      atomic.Pointer[universal]
	connected    atomic.Bool

	close func()
	ended chan struct{}
}

// universal lets an interface stand behind an atomic pointer.
type universal struct{ redis.UniversalClient }

// quietLibrary keeps go-redis from writing to standard error: what it has to say
// is in the errors, and Client logs when Redis goes and comes.
var quietLibrary = sync.OnceFunc(func() { redis.SetLogger(discard{}) })

type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

// Open makes a Client. It asks nothing of the servers, which may be away; only
// addresses that cannot be read are an error. Close it.
func Open(o Options) (*Client, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.close = cancel
	go c.watch(ctx)
	return c, nil
}

func newClient(o Options) (*Client, error) {
	quietLibrary()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Installation == "" {
		return nil, errors.New("fleet: an installation without a name")
	}
	c := &Client{installation: o.Installation, log: o.Log, ended: make(chan struct{})}
	for _, address := range o.Addresses {
		server, err := readAddress(address)
		if err != nil {
			return nil, err
		}
		c.servers = append(c.servers, server)
	}
	switch {
	case len(c.servers) == 0:
		return nil, errors.New("fleet: no address of Redis")
	case len(c.servers) > 1:
		c.current.Store(&universal{c.newCluster()})
	}
	return c, nil
}

// readAddress reads a URL. Its errors name no password.
func readAddress(address string) (*redis.Options, error) {
	server, err := redis.ParseURL(address)
	if err != nil {
		where := "the address of Redis"
		if u, unreadable := url.Parse(address); unreadable == nil {
			where = "redis address " + u.Redacted()
		} else {
			err = errors.New("it is no URL")
		}
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	setDefault(&server.DialTimeout, dialTimeout)
	setDefault(&server.ReadTimeout, replyTimeout)
	setDefault(&server.WriteTimeout, replyTimeout)
	setDefault(&server.PoolTimeout, replyTimeout)
	if server.PoolSize == 0 {
		server.PoolSize = poolSize
	}
	server.MaxActiveConns = server.PoolSize
	server.MaxRetries = -1 // whoever asks knows whether asking twice is right
	server.DialerRetries = 1
	server.ContextTimeoutEnabled = true
	server.DisableIdentity = true
	server.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return server, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// newServer makes a client of one server, with a breaker of its own: a server
// of a Cluster that is away is no reason not to ask the others.
func newServer(o *redis.Options) *redis.Client {
	server := redis.NewClient(o)
	server.AddHook(newBreaker(time.Now))
	return server
}

func (c *Client) newCluster() redis.UniversalClient {
	first := c.servers[0]
	o := &redis.ClusterOptions{
		Username: first.Username, Password: first.Password, TLSConfig: first.TLSConfig, NewClient: newServer,
		DialTimeout: first.DialTimeout, ReadTimeout: first.ReadTimeout, WriteTimeout: first.WriteTimeout,
		PoolSize: first.PoolSize, PoolTimeout: first.PoolTimeout, MaxActiveConns: first.MaxActiveConns,
		DialerRetries: 1, MaxRedirects: 3, MinRetryBackoff: 8 * time.Millisecond, MaxRetryBackoff: 64 * time.Millisecond,
		ContextTimeoutEnabled: true, DisableIdentity: true, FailingTimeoutSeconds: 1, ClusterStateReloadInterval: 10 * time.Second,
		MaintNotificationsConfig: first.MaintNotificationsConfig,
	}
	for _, server := range c.servers {
		o.Addrs = append(o.Addrs, server.Addr)
	}
	return redis.NewClusterClient(o)
}

// Redis gives the client to talk through, or ErrAway as long as it is not known
// whether the one address is a single server's or a Cluster's. Its calls fail
// with ErrAway, at once, while the server asked is away, see breaker.
func (c *Client) Redis() (redis.UniversalClient, error) {
	if current := c.current.Load(); current != nil {
		return current.UniversalClient, nil
	}
	return nil, ErrAway
}

// Connected reports whether Redis answered when it was last looked at, about a
// second ago: all masters of a Cluster.
func (c *Client) Connected() bool { return c.connected.Load() }

// Key names a key of the installation. All keys made so share a hash tag: they
// are in one slot of a Cluster, and a script may use several.
func (c *Client) Key(name string) string { return "trb:{" + c.installation + "}:" + name }

// SpreadKey names a key of the installation that lies where its name says:
// different ones are in different slots of a Cluster.
func (c *Client) SpreadKey(name string) string { return "trb:" + c.installation + ":" + name }

// EachServer calls f for the single server, or for each master of a Cluster,
// maybe at the same time, and returns the first error.
func (c *Client) EachServer(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	all, err := c.Redis()
	if err != nil {
		return err
	}
	switch all := all.(type) {
	case *redis.ClusterClient:
		return all.ForEachMaster(ctx, f)
	case *redis.Client:
		return f(ctx, all)
	}
	return fmt.Errorf("fleet: a client of type %T", all)
}

// Close ends the connections.
func (c *Client) Close() error {
	c.close()
	<-c.ended
	return c.disconnect()
}

func (c *Client) disconnect() error {
	if current := c.current.Load(); current != nil {
		return current.Close()
	}
	return nil
}

// watch finds out what the address is of, and keeps Connected right.
func (c *Client) watch(ctx context.Context) {
	defer close(c.ended)
	said := false // that Redis is away
	for {
		err := c.look(ctx)
		if ctx.Err() != nil {
			return
		}
		was := c.connected.Swap(err == nil)
		switch {
		case err != nil && !said:
			said = true
			c.log.Warn("redis is away; this node goes on alone", "error", err)
		case err == nil && !was:
			said = false
			c.log.Info("redis is connected")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEvery):
		}
	}
}

func (c *Client) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+2*replyTimeout)
	defer cancel()
	if c.current.Load() == nil {
		if err := c.discover(ctx); err != nil {
			return err
		}
	}
	err := c.EachServer(ctx, func(ctx context.Context, server *redis.Client) error { return server.Ping(ctx).Err() })
	if cluster, is := c.current.Load().UniversalClient.(*redis.ClusterClient); is && err != nil {
		cluster.ReloadState(ctx) // another may have taken over
	}
	return err
}
