package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say what engine to run. Dir is required; the zero value of every
// other field is a default sized for a laptop with two cores.
type Options struct {
	// Dir is where the engine keeps its data; it is made when absent.
	Dir string
	// Library is the path of libchdb; FindLibrary searches for it when empty.
	Library string
	// Command runs RunChild with the arguments appended to it: this executable
	// and the word "engine" when empty.
	Command []string
	// Env is added to the child's environment.
	Env []string
	// Listen is a loopback TCP address for reading clients, such as
	// "127.0.0.1:8123"; none when empty.
	Listen string

	// Config is XML of ClickHouse's own configuration, elements such as
	// <remote_servers>, that the engine's has beside its own; none when empty.
	Config string

	MaxMemoryBytes      int64         // of the whole engine; 1 GiB
	MaxQueryMemoryBytes int64         // of one query, half of it before it spills to disk; 384 MiB
	MaxThreads          int           // of one query; 2
	MaxQueries          int           // that run at once, on each listener; 4
	MaxBodyBytes        int64         // of one insert; 256 MiB
	LockWait            time.Duration // for another engine to release Dir; 15 s
	MemoryReturn        time.Duration // between returns of freed memory to the system, 40 ms of work each; 10 s
	MinBackoff          time.Duration // before the first restart, doubled up to MaxBackoff; 100 ms
	MaxBackoff          time.Duration // 10 s

	Log *slog.Logger // slog.Default() when nil
}

func (o *Options) setDefaults() {
	setDefault(&o.MaxMemoryBytes, 1<<30)
	setDefault(&o.MaxQueryMemoryBytes, 384<<20)
	setDefault(&o.MaxThreads, 2)
	setDefault(&o.MaxQueries, 4)
	setDefault(&o.MaxBodyBytes, 256<<20)
	setDefault(&o.LockWait, 15*time.Second)
	setDefault(&o.MemoryReturn, 10*time.Second)
	setDefault(&o.MinBackoff, 100*time.Millisecond)
	setDefault(&o.MaxBackoff, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o *Options) validate() error {
	if o.Dir == "" {
		return errors.New("embedded ClickHouse: no directory given")
	}
	if o.MaxMemoryBytes < 0 || o.MaxQueryMemoryBytes < 0 || o.MaxThreads < 0 || o.MaxQueries < 0 || o.MaxBodyBytes < 0 {
		return errors.New("embedded ClickHouse: bounds must be positive")
	}
	if o.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("embedded ClickHouse: listen address %q: write it as 127.0.0.1:8123", o.Listen)
	}
	address, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !address.IsLoopback()) {
		return fmt.Errorf("embedded ClickHouse: listen address %q is not a loopback address, and the listener asks for no password: use 127.0.0.1 and a proxy that does", o.Listen)
	}
	return nil
}

// ErrStopped is returned by an engine that was told to stop.
var ErrStopped = errors.New("the embedded ClickHouse was stopped")

// Engine is a supervised ClickHouse. Its methods may be called concurrently.
type Engine struct {
	options Options
	socket  string
	cleanUp func()
	stop    chan struct{} // closed by Stop
	kill    chan struct{} // closed when Stop's patience ends
	done    chan struct{} // closed when the supervisor has ended
	once    sync.Once
	abandon sync.Once

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change of what is below
	ready    bool
	refused  error // why the last start failed, when the child could say; nil otherwise
	pid      int
	restarts int
	lastErr  error
	version  string
	listen   string
}

// Start starts an engine and supervises it until Stop. It returns at once;
// queries succeed after WaitReady. It fails on what no restart can mend:
// options, a missing library, a directory that cannot be made. The context
// bounds Start only, not the engine's life.
func Start(ctx context.Context, options Options) (*Engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	options.setDefaults()
	if err := options.validate(); err != nil {
		return nil, err
	}
	var err error
	if options.Dir, err = filepath.Abs(options.Dir); err != nil {
		return nil, fmt.Errorf("embedded ClickHouse: %w", err)
	}
	if options.Library, err = FindLibrary(options.Library); err != nil {
		return nil, err
	}
	if len(options.Command) == 0 {
		executable, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("embedded ClickHouse: find this executable: %w", err)
		}
		options.Command = []string{executable, "engine"}
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded ClickHouse: %w", err)
	}
	socket, cleanUp, err := socketPath(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded ClickHouse: %w", err)
	}
	e := &Engine{
		options: options, socket: socket, cleanUp: cleanUp,
		stop: make(chan struct{}), kill: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	go e.supervise()
	return e, nil
}

// socketPath places the socket in dir, or in a private temporary directory
// when dir's path is longer than a socket's may be.
func socketPath(dir string) (path string, cleanUp func(), err error) {
	const longest = 100 // 107 on Linux, 103 on macOS
	path = filepath.Join(dir, "engine.sock")
	if len(path) <= longest {
		return path, func() { os.Remove(path) }, nil
	}
	private, err := os.MkdirTemp("", "tributary-engine-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(private, "engine.sock"), func() { os.RemoveAll(private) }, nil
}

// Dial connects to the engine's HTTP interface, waiting while it starts or
// restarts, as long as the context lasts but at most 10 s.
func (e *Engine) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := e.WaitReady(ctx); err != nil {
		return nil, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", e.socket)
	if err != nil {
		return nil, fmt.Errorf("embedded ClickHouse: %w", err)
	}
	return conn, nil
}

// WaitReady returns when the engine answers queries. It fails when the context
// ends, when the engine is stopped, and when the engine said why it cannot
// start; the supervisor keeps trying even then, so it may be called again.
func (e *Engine) WaitReady(ctx context.Context) error {
	for {
		e.mu.Lock()
		ready, refused, lastErr, changed := e.ready, e.refused, e.lastErr, e.changed
		e.mu.Unlock()
		if ready {
			return nil
		}
		if refused != nil {
			return refused
		}
		select {
		case <-changed:
		case <-e.done:
			return ErrStopped
		case <-ctx.Done():
			return fmt.Errorf("the embedded ClickHouse is not ready: %w", errors.Join(ctx.Err(), lastErr))
		}
	}
}

// Stop ends the engine in good order: running queries end first. When the
// context ends before that, the child is killed, which loses nothing that was
// acknowledged, and the context's error is returned. It may be called again.
func (e *Engine) Stop(ctx context.Context) error {
	e.once.Do(func() { close(e.stop) })
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
	}
	e.abandon.Do(func() { close(e.kill) })
	<-e.done
	return fmt.Errorf("the embedded ClickHouse was killed: it did not stop in time: %w", ctx.Err())
}

// PID is the child's process id, 0 while there is none.
func (e *Engine) PID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pid
}

// Restarts counts how often the engine was started again after it had died.
func (e *Engine) Restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.restarts
}

// Err is why the engine last died or failed to start, nil if it never did.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lastErr
}

// ListenAddr is the loopback address reading clients may use, "" without one or before the engine is ready.
func (e *Engine) ListenAddr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.listen
}

// Version is the engine's ClickHouse version, "" before it was ready.
func (e *Engine) Version() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.version
}

// update changes the state and wakes whoever waits for it.
func (e *Engine) update(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	close(e.changed)
	e.changed = make(chan struct{})
}
