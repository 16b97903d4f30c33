package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"tributary/background"
)

// controlDir holds the socket on which a serving process takes orders of verbs
// beside it. Who may read the data directory may give them: it needs no key, and
// what it answers goes through no network.
const controlDir = "control"

const (
	controlName    = "serve.sock"
	backupPath     = "/backup"
	backupErrorKey = "Tributary-Error" // a trailer: why what was sent is not whole

	// longestSocketPath is what fits into a socket's address everywhere.
	longestSocketPath = 100
	// stalledAfter is how long who asked for a backup may take no byte of it: stores
	// are held for it.
	stalledAfter = time.Minute
)

// serveControl answers on the control socket until the stop.
func (a *app) serveControl(context.Context, appConfig) error {
	listener, remove, err := listenControl(a.dir.path)
	if err != nil {
		return fmt.Errorf("the control socket in %s: %w", a.dir.path, err)
	}
	running, cancel := context.WithCancel(context.Background())
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+backupPath, a.answerBackup)
	routes.HandleFunc("POST "+reclassifyPath, a.answerReclassify)
	routes.HandleFunc("GET "+reclassifyPath, a.answerReclassification)
	routes.HandleFunc("GET "+auditPath, a.answerAudit)
	routes.HandleFunc("GET "+drainPath, a.answerDrain)
	routes.HandleFunc("POST "+drainPath, a.answerDrain)
	server := &http.Server{
		Handler: routes, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return running },
	}
	a.serve("control", func() error { return server.Serve(listener) }, func(context.Context) error {
		cancel()
		err := server.Close()
		a.backingUp.Lock() // the one that was under way has given up the stores
		remove()
		return err
	})
	return nil
}

// listenControl listens in the data directory, or, where its path is too long for
// a socket's, in a private directory that a link there leads to.
func listenControl(dataDir string) (l net.Listener, remove func(), err error) {
	dir := filepath.Join(dataDir, controlDir)
	remove = func() { os.RemoveAll(dir) }
	remove() // of a life that was killed; the data directory's lock says it is over
	path := filepath.Join(dir, controlName)
	if len(path) <= longestSocketPath {
		err = os.Mkdir(dir, 0o700)
	} else {
		var private string
		if private, err = os.MkdirTemp("", "tributary-control-"); err == nil {
			err = os.Symlink(private, dir)
			remove = func() { os.RemoveAll(private); os.Remove(dir) }
			path = filepath.Join(private, controlName)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if l, err = net.Listen("unix", path); err != nil {
		remove()
		return nil, nil, err
	}
	return l, remove, nil
}

// dialControl connects to the process that serves a data directory.
func dialControl(ctx context.Context, dataDir string) (net.Conn, error) {
	var dialer net.Dialer
	dir := filepath.Join(dataDir, controlDir)
	if path := filepath.Join(dir, controlName); len(path) <= longestSocketPath {
		return dialer.DialContext(ctx, "unix", path)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	return dialer.DialContext(ctx, "unix", filepath.Join(dir, controlName))
}

// answerBackup sends a backup. What goes wrong once it is under way is said in a
// trailer; it lacks its seal then.
func (a *app) answerBackup(w http.ResponseWriter, r *http.Request) {
	if !a.backingUp.TryLock() {
		http.Error(w, "another backup is under way: wait for its end", http.StatusConflict)
		return
	}
	defer a.backingUp.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		background.GiveWay()
		a.sendBackup(w, r)
	}()
	<-done
}

func (a *app) sendBackup(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	c, err := a.cut(ctx)
	if err != nil {
		a.log.Warn("no backup could be made", "error", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	out := &unstalled{w: w, deadline: http.NewResponseController(w).SetWriteDeadline}
	if err := errors.Join(c.write(ctx, out), c.release()); err != nil {
		a.log.Warn("a backup was not finished", "error", err)
		w.Header().Set(http.TrailerPrefix+backupErrorKey, fmt.Sprintf("%q", err))
		return
	}
	a.log.Info("a backup was made", "bytes", out.written, "took", time.Since(c.madeAt).Round(time.Millisecond))
}

// unstalled fails when nothing can be written for stalledAfter.
type unstalled struct {
	w        http.ResponseWriter
	deadline func(time.Time) error
	written  int64
}

// Write implements io.Writer.
func (u *unstalled) Write(p []byte) (int, error) {
	if err := u.deadline(time.Now().Add(stalledAfter)); err != nil {
		return 0, err
	}
	n, err := u.w.Write(p)
	u.written += int64(n)
	return n, err
}
