package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/fleet/redistest"
	"tributary/schema"
	"tributary/schema/database/databasetest"
	"tributary/schema/engine"
)

// A fleetWorld is what several nodes share: real servers of the test's own, and the
// file of secrets.
type fleetWorld struct {
	t        *testing.T
	postgres *databasetest.Server
	redis    *redistest.Server
	store    *store // ClickHouse, asked past the product
	secrets  string
	flags    []string // of every node
}

func openFleet(t *testing.T) *fleetWorld {
	t.Helper()
	f := &fleetWorld{t: t, postgres: databasetest.NewServer(t), redis: redistest.Start(t), secrets: filepath.Join(t.TempDir(), "shared.json")}
	conn, clickhouse := serveEngine(t)
	f.store = &store{t, conn}
	tributary(t, exitOK, "key", "make-secrets", f.secrets)
	f.flags = []string{"--secrets", f.secrets, "--database", asURL(f.postgres.DSN("postgres")), "--clickhouse", clickhouse, "--redis", f.redis.URL(), "--drain-delay", "500ms"}
	return f
}

// asURL writes a data source of words and values as a URL.
func asURL(dsn string) string {
	query := url.Values{}
	for _, field := range strings.Fields(dsn) {
		name, value, _ := strings.Cut(field, "=")
		query.Set(name, value)
	}
	name := query.Get("dbname")
	query.Del("dbname")
	return "postgres://localhost/" + name + "?" + query.Encode()
}

// serveEngine runs the embedded ClickHouse as a server of the operator's, and
// returns how it is asked directly and where nodes find it.
func serveEngine(t *testing.T) (driver.Conn, string) {
	t.Helper()
	e, err := engine.Start(t.Context(), engine.Options{Dir: filepath.Join(t.TempDir(), "clickhouse"), Library: testOptions(t, "").EngineLibrary, Command: []string{os.Args[0], engineVerb}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	address := relay(t, func() (net.Conn, error) { return e.Dial(context.Background()) })
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, "http://" + address + "/tributary?compress=none"
}

// relay listens on a port and joins each connection to one that dial makes.
func relay(t *testing.T, dial func() (net.Conn, error)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() { listener.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer client.Close()
				server, err := dial()
				if err != nil {
					return // the client sees its connection end
				}
				defer server.Close()
				t.Cleanup(func() { client.Close(); server.Close() })
				ended := make(chan struct{}, 2)
				for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
					go func() {
						io.Copy(way[0], way[1]) // the end of either is that of both
						ended <- struct{}{}
					}()
				}
				<-ended
			})
		}
	})
	return listener.Addr().String()
}

// A fleetNode is a data directory of one node, life after life.
type fleetNode struct {
	f     *fleetWorld
	dir   string
	flags []string
	life  *served
	at    atomic.Pointer[string] // where shoppers connect to a tracker
	*testApp
}

// node makes a node that is started with roles.
func (f *fleetWorld) node(roles string, flags ...string) *fleetNode {
	f.t.Helper()
	n := &fleetNode{f: f, dir: f.t.TempDir(), flags: append(append([]string{"--roles", roles}, f.flags...), flags...)}
	n.start()
	return n
}

// start begins the node's next life and waits until it has said where it listens.
func (n *fleetNode) start() {
	n.f.t.Helper()
	n.life = startServe(n.f.t, n.dir, n.flags...)
	n.testApp = n.life.addresses()
	if n.trackerListener != nil {
		address := n.trackerListener.Addr().String()
		n.at.Store(&address)
	}
}

var anyAdminAddress = regexp.MustCompile(`http://(\S+?)/(?:docs|metrics)`)

// addresses is client for a node of any role.
func (s *served) addresses() *testApp {
	s.t.Helper()
	var tracker, admin []string
	eventually(s.t, func() error {
		text := s.out.String()
		tracker, admin = trackerAddress.FindStringSubmatch(text), anyAdminAddress.FindStringSubmatch(text)
		select {
		case <-s.done:
			s.t.Fatalf("it ended:\n%s", s.err.String())
		default:
		}
		if admin == nil {
			return fmt.Errorf("it has not started:\n%s\n%s", text, s.err.String())
		}
		return nil
	})
	client := &testApp{app: &app{adminListener: elsewhere(admin[1])}, t: s.t, key: adminKeyOfTests}
	if tracker != nil {
		client.app.trackerListener = elsewhere(tracker[1])
	}
	client.http = http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.t.Cleanup(client.http.CloseIdleConnections)
	return client
}

// drainedAll waits until nothing waits on the node's disk.
func (n *fleetNode) drainedAll() {
	n.f.t.Helper()
	n.drained()
	n.settledAll()
}

// audits requires that the node's own audit agrees.
func (n *fleetNode) audits() string {
	n.f.t.Helper()
	said, _ := tributary(n.f.t, exitOK, append([]string{"audit", "--data", n.dir}, n.flags...)...)
	if !strings.Contains(said, "the books agree") {
		n.f.t.Errorf("the audit says:\n%s", said)
	}
	return said
}

// A balancer joins connections to trackers that say they are ready, and tries
// nothing twice: whoever it sent to a tracker that is gone is turned away.
type balancer struct {
	address string
	mu      sync.Mutex
	nodes   []*fleetNode
	ready   []string // addresses of trackers
	turn    int
}

const healthEvery = 50 * time.Millisecond

func balance(t *testing.T, nodes ...*fleetNode) *balancer {
	b := &balancer{nodes: nodes}
	b.address = relay(t, b.dial)
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	t.Cleanup(func() { cancel(); watch.Wait() })
	watch.Go(func() {
		client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for ctx.Err() == nil {
			b.look(&client)
			select {
			case <-ctx.Done():
			case <-time.After(healthEvery):
			}
		}
	})
	return b
}

func (b *balancer) look(client *http.Client) {
	var ready []string
	for _, n := range b.nodes {
		address := n.at.Load()
		answer, err := client.Get("http://" + *address + "/readyz")
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			ready = append(ready, *address)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = ready
}

func (b *balancer) dial() (net.Conn, error) {
	b.mu.Lock()
	if len(b.ready) == 0 {
		b.mu.Unlock()
		return nil, errors.New("no tracker is ready")
	}
	b.turn++
	address := b.ready[b.turn%len(b.ready)]
	b.mu.Unlock()
	return net.Dial("tcp", address)
}

// restart stops a node in good order and starts it again, while others serve.
func (b *balancer) restart(n *fleetNode) {
	n.f.t.Helper()
	n.life.stops()
	n.start()
	b.allReady(n.f.t)
}

// allReady waits until the balancer sends people to every tracker.
func (b *balancer) allReady(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.ready) < len(b.nodes) {
			return fmt.Errorf("%d of %d trackers are ready", len(b.ready), len(b.nodes))
		}
		return nil
	})
}
