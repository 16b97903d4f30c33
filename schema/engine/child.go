package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// The file descriptors a child is started with, beside the standard three.
const (
	orderFD  = 3 // the parent's orders; its end means that the parent is gone
	reportFD = 4 // one line of JSON: the child is ready, or why it cannot be
)

// orderStop on orderFD ends the child in good order.
const orderStop = 's'

// childConfig is what the parent tells the child, as JSON in its only argument.
type childConfig struct {
	Dir                 string        `json:"dir"`
	Socket              string        `json:"socket"`
	Library             string        `json:"library"`
	Listen              string        `json:"listen,omitempty"`
	Config              string        `json:"config,omitempty"`
	MaxMemoryBytes      int64         `json:"max_memory_bytes"`
	MaxQueryMemoryBytes int64         `json:"max_query_memory_bytes"`
	MaxThreads          int           `json:"max_threads"`
	MaxQueries          int           `json:"max_queries"`
	MaxBodyBytes        int64         `json:"max_body_bytes"`
	LockWait            time.Duration `json:"lock_wait_ns"`
	MemoryReturn        time.Duration `json:"memory_return_ns"`
}

// childReport is the child's line on reportFD.
type childReport struct {
	Listen  string `json:"listen,omitempty"` // the loopback address it answers on
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
	Held    bool   `json:"held,omitempty"` // another engine has the directory
}

// RunChild is the engine's process: what the binary's hidden verb runs, with
// the arguments after the verb. It returns the process's exit code. It is of
// use only to [Start], which gives it its file descriptors.
func RunChild(arguments []string) int {
	// Signals to the terminal's group, or to a service's, are the parent's: it
	// drains first and then tells the engine to stop.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	syscall.Umask(0o077) // the socket asks for no password, and the data is nobody else's
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	text := flags.String("config", "", "JSON from the parent process")
	if err := flags.Parse(arguments); err != nil {
		return 2
	}
	var config childConfig
	if err := json.Unmarshal([]byte(*text), &config); err != nil {
		log.Error("this verb is Tributary's own: it runs the embedded ClickHouse for 'tributary serve'", "error", err)
		return 2
	}
	// The process is the engine's; what Go adds is kept small.
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(50)

	orders := watchParent(os.NewFile(orderFD, "orders"))
	report := os.NewFile(reportFD, "report")
	if err := runChild(config, orders, report, log); err != nil {
		var held *heldError
		writeReport(report, childReport{Error: err.Error(), Held: errors.As(err, &held)})
		return 1
	}
	return 0
}

// watchParent returns a channel that is closed on the order to stop. When the
// pipe ends without it the parent is dead, and so is the process at once: a
// new parent wants the directory.
func watchParent(orders io.Reader) <-chan struct{} {
	stop := make(chan struct{})
	go func() {
		b, err := bufio.NewReader(orders).ReadByte()
		if err != nil || b != orderStop {
			os.Exit(1)
		}
		close(stop)
	}()
	return stop
}

func writeReport(w io.Writer, report childReport) {
	line, err := json.Marshal(report)
	if err != nil {
		panic(err) // a struct of strings always marshals
	}
	w.Write(append(line, '\n')) // nobody reads it when the parent is gone
}

func runChild(config childConfig, stop <-chan struct{}, report *os.File, log *slog.Logger) error {
	lock, err := lockDirectory(config.Dir, config.LockWait, stop)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := writeConfig(config); err != nil {
		return err
	}
	// Without it the engine takes the directory for new and starts no background
	// task that removes dropped tables: DROP … SYNC would wait for ever.
	if err := os.MkdirAll(filepath.Join(config.Dir, "metadata"), 0o700); err != nil {
		return fmt.Errorf("prepare the engine's directory: %w", err)
	}
	lib, err := loadLibrary(config.Library)
	if err != nil {
		return err
	}
	server, err := newServer(lib, config, log)
	if err != nil {
		return fmt.Errorf("open the embedded ClickHouse in %s: %w", config.Dir, err)
	}
	defer server.root.close()
	os.Remove(config.Socket) // of a life that was killed; the lock says it is over
	local, err := net.Listen("unix", config.Socket)
	if err != nil {
		return fmt.Errorf("listen for Tributary: %w", err)
	}
	listeners := map[net.Listener]access{local: fullAccess}
	var listening string
	if config.Listen != "" {
		tcp, err := net.Listen("tcp", config.Listen)
		if err != nil {
			return fmt.Errorf("listen for ClickHouse clients: %w; give another address, or none", err)
		}
		listeners[tcp] = readOnly
		listening = tcp.Addr().String()
	}
	ended, end := context.WithCancel(context.Background())
	var chores sync.WaitGroup
	chores.Go(func() { server.returnMemory(ended, config.MemoryReturn) })
	chores.Go(func() { server.spareDisk(ended, spaceInterval) })
	defer func() { end(); chores.Wait() }() // they use the connection that is closed next
	writeReport(report, childReport{Listen: listening, Version: server.version})
	report.Close()
	return serve(server, listeners, stop)
}

// serve answers on all listeners until it is told to stop, and lets running queries end.
func serve(server *server, listeners map[net.Listener]access, stop <-chan struct{}) error {
	failed := make(chan error, len(listeners))
	var running []*http.Server
	for listener, access := range listeners {
		s := &http.Server{
			Handler:           server.handler(access),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       5 * time.Minute,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    maxQueryBytes, // queries come in the URL
		}
		if access == readOnly {
			s.ReadTimeout = 10 * time.Second
		}
		running = append(running, s)
		go func() { failed <- s.Serve(listener) }()
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	for _, s := range running {
		if err := s.Shutdown(ctx); err != nil {
			s.Close()
		}
	}
	return nil
}

// stopWait is how long running queries may take once the child was told to stop.
const stopWait = 10 * time.Second
