package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// server answers ClickHouse's HTTP interface from the engine in this process.
// Every request gets a connection of its own, so that settings and current
// database die with it.
type server struct {
	lib       *chdb
	arguments []string // of every connection
	root      *conn    // keeps the engine open
	version   string
	rowsDir   string
	maxBody   int64
	slotWait  time.Duration // longest a request waits for a slot
	slots     chan struct{} // one for each query of the owner that may run at once
	readSlots chan struct{} // the same for the loopback listener
	worked    atomic.Bool   // a query ended since memory was last given back
	log       *slog.Logger
}

// Database is the one a query is in when it names none, or "default" as many
// clients do: the engine's own default also offers the machine's files as tables.
const Database = "tributary"

// access says what a listener's clients may do.
type access int

const (
	fullAccess access = iota
	readOnly
)

// wholeResult bounds a result that stands in memory whole: any but Native.
var wholeResult = parameter{"max_result_bytes", "268435456"}

// readOnlySettings hold on the loopback listener, whatever a client asks for.
var readOnlySettings = []parameter{{"max_execution_time", "60"}, {"readonly", "1"}}

func newServer(lib *chdb, c childConfig, log *slog.Logger) (*server, error) {
	s := &server{
		lib:       lib,
		arguments: []string{"clickhouse", "--path=" + c.Dir, "--config-file=" + configPath(c.Dir)},
		rowsDir:   c.Dir,
		maxBody:   c.MaxBodyBytes,
		slotWait:  30 * time.Second,
		slots:     make(chan struct{}, c.MaxQueries),
		readSlots: make(chan struct{}, c.MaxQueries),
		log:       log,
	}
	var err error
	if s.root, err = lib.open(s.arguments); err != nil {
		return nil, err
	}
	none := func([]byte) error { return nil }
	if err := s.root.exec("CREATE DATABASE IF NOT EXISTS "+Database, "Null", nil, none); err != nil {
		return nil, fmt.Errorf("make the engine's database: %w", err)
	}
	err = s.root.exec("SELECT version()", "TabSeparated", nil, func(b []byte) error {
		s.version = strings.TrimSpace(string(b))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask the engine for its version: %w", err)
	}
	return s, nil
}

// handler serves one listener.
func (s *server) handler(a access) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Ok.\n") }
	mux.HandleFunc("GET /ping", ok)
	mux.HandleFunc("GET /replicas_status", ok)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if a == readOnly && !loopbackHost(r.Host) {
			writeException(w, exceptionf(codeReadOnly, "Address this listener by a loopback name, not as %q. (READONLY)", r.Host))
			return
		}
		s.serveQuery(w, r, a)
	})
	return mux
}

// loopbackHost keeps a page on another site from reading through the user's
// browser, by a name of its own that resolves to loopback.
func loopbackHost(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.Trim(hostPort, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

func (s *server) serveQuery(w http.ResponseWriter, r *http.Request, a access) {
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
	req, err := readRequest(r)
	if err == nil && a == readOnly {
		err = req.statement.checkReadOnly()
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	answer := newAnswer(w, req)
	if strings.TrimRight(req.query, "; \n") == helloQuery && req.revision > 0 {
		block, err := hello(s.version, req.revision)
		if err == nil {
			err = answer.write(block)
		}
		if err != nil {
			s.refuse(w, err)
		}
		return
	}
	if err := s.run(r.Context(), req, a, answer); err != nil {
		var failed *exception
		if !errors.As(err, &failed) {
			if r.Context().Err() != nil {
				return // nobody is there to be answered
			}
			failed = exceptionf(codeUnknown, "%v", err)
		}
		answer.fail(failed)
	}
}

func (s *server) refuse(w http.ResponseWriter, err error) {
	var failed *exception
	if !errors.As(err, &failed) {
		failed = exceptionf(codeBadArguments, "%v", err)
	}
	writeException(w, failed)
}

// run executes the request on a connection of its own.
func (s *server) run(ctx context.Context, req *request, a access, out *answer) error {
	query, cleanUp, err := s.prepare(req)
	if err != nil {
		return err
	}
	defer cleanUp()
	release, err := s.acquire(ctx, a)
	if err != nil {
		return err
	}
	defer release()
	defer s.worked.Store(true)
	c, err := s.lib.open(s.arguments)
	if err != nil {
		return err
	}
	defer c.close()
	id := rand.Text()
	if err := s.configure(c, req, a, id); err != nil {
		return err
	}
	if req.statement.verb != "insert" {
		stop := context.AfterFunc(ctx, func() { s.kill(id) })
		defer stop()
	}
	if req.streams() {
		return c.stream(query, req.format, req.params, out.write)
	}
	return c.exec(query, req.format, req.params, out.write)
}

// prepare returns the query as the engine gets it. An insert's rows go into a
// file of their own, because the engine ends inline data at the first newline.
func (s *server) prepare(req *request) (query string, cleanUp func(), err error) {
	if req.data == nil {
		return req.query, func() {}, nil
	}
	file, path, err := newRowsFile(s.rowsDir)
	if err != nil {
		return "", nil, err
	}
	n, err := io.Copy(file, req.data)
	if err != nil {
		removeRowsFile(file)
		return "", nil, bodyError(err)
	}
	if n == 0 { // clickhouse-go sends this when it failed to encode the rows: never call that a success
		removeRowsFile(file)
		return "", nil, exceptionf(codeBadArguments, "An insert without rows. (BAD_ARGUMENTS)")
	}
	query = fmt.Sprintf("%s SELECT * FROM file(%s, %s)", req.query[:req.statement.formatAt], quoteString(path), quoteString(req.statement.format))
	return query, func() { removeRowsFile(file) }, nil
}

// configure gives the connection the request's settings and database. The id lets kill find the query.
func (s *server) configure(c *conn, req *request, a access, id string) error {
	none := func([]byte) error { return nil }
	settings := append(req.settings, parameter{"log_comment", id})
	if !req.streams() {
		settings = append(settings, wholeResult)
	}
	if err := c.exec(setStatement(settings), "Null", nil, none); err != nil {
		return err
	}
	database := req.database
	if database == "" || database == "default" {
		database = Database
	}
	if err := c.exec("USE "+quoteName(database), "Null", nil, none); err != nil {
		return err
	}
	if a == readOnly {
		return c.exec(setStatement(readOnlySettings), "Null", nil, none)
	}
	return nil
}

// acquire takes one of the listener's slots, waiting for it no longer than slotWait.
func (s *server) acquire(ctx context.Context, a access) (release func(), err error) {
	slots := s.slots
	if a == readOnly {
		slots = s.readSlots
	}
	timer := time.NewTimer(s.slotWait)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, exceptionf(codeTooManyQueries, "%d queries have been running for %s; ask again later. (TOO_MANY_SIMULTANEOUS_QUERIES)", cap(slots), s.slotWait)
	}
}

// kill stops a query whose client has gone.
func (s *server) kill(id string) {
	c, err := s.lib.open(s.arguments)
	if err != nil {
		s.log.Warn("cannot stop a query whose client has gone", "error", err)
		return
	}
	defer c.close()
	err = c.exec("KILL QUERY WHERE Settings['log_comment'] = "+quoteString(id)+" ASYNC", "Null", nil, func([]byte) error { return nil })
	if err != nil {
		s.log.Warn("cannot stop a query whose client has gone", "error", err)
	}
}

// returnMemory gives freed memory back to the system at every interval in
// which a query ended, until ctx does. By itself the engine keeps what its
// largest query took.
func (s *server) returnMemory(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.worked.Swap(false) {
			continue
		}
		if err := s.root.exec("SYSTEM JEMALLOC PURGE", "Null", nil, func([]byte) error { return nil }); err != nil {
			s.log.Warn("the engine cannot give memory back", "error", err)
			return
		}
	}
}
