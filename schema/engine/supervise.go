package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tributary/background"
)

// settledAfter is how long a life must last for its end to be news and not a
// continuing failure: the backoff starts anew.
const settledAfter = time.Minute

// supervise keeps a child running until Stop. It stays on one thread, because
// Linux kills the child with the thread that started it. The child inherits that it
// gives way to redirects.
func (e *Engine) supervise() {
	background.GiveWay()
	defer close(e.done)
	defer e.cleanUp()
	backoff := e.options.MinBackoff
	for {
		began := time.Now()
		err := e.live()
		select {
		case <-e.stop:
			e.update(func() { e.refused = ErrStopped })
			return
		default:
		}
		if time.Since(began) > settledAfter {
			backoff = e.options.MinBackoff
		}
		e.options.Log.Error("the embedded ClickHouse ended; starting it again", "error", err, "after", backoff)
		select {
		case <-e.stop:
			e.update(func() { e.refused = ErrStopped })
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, e.options.MaxBackoff)
		e.update(func() { e.restarts++; e.refused = nil })
	}
}

// live runs one child from its start to its end and returns why it ended.
func (e *Engine) live() (err error) {
	defer func() {
		e.update(func() { e.ready, e.pid, e.lastErr = false, 0, err })
	}()
	child, err := e.startChild()
	if err != nil {
		return err
	}
	e.update(func() { e.pid = child.command.Process.Pid })

	reported := make(chan childReport, 1)
	go func() { reported <- child.readReport() }()
	logged := make(chan string, 1)
	go func() { logged <- e.logLines(child.stderr) }()
	exited := make(chan struct{})
	go e.passOrders(child, exited)

	report := <-reported // comes at the latest when the child ends
	if report.Error == "" && report.Version != "" {
		e.update(func() { e.ready, e.version, e.listen = true, report.Version, report.Listen })
	}
	lastLine := <-logged // reading ends with the child; only then may Wait be called
	waited := child.command.Wait()
	close(exited)
	child.close()
	if report.Error != "" {
		err := errors.New(report.Error)
		e.update(func() { e.refused = err })
		return err
	}
	return fmt.Errorf("the engine's process ended (%v): %s", waited, lastLine)
}

// child is a started process and the parent's ends of its pipes.
type child struct {
	command *exec.Cmd
	orders  *os.File
	report  *os.File
	stderr  io.ReadCloser
}

func (c *child) close() {
	c.orders.Close()
	c.report.Close()
}

func (c *child) readReport() childReport {
	var report childReport
	line, err := bufio.NewReader(io.LimitReader(c.report, 1<<16)).ReadBytes('\n')
	if err != nil {
		return report
	}
	if err := json.Unmarshal(line, &report); err != nil {
		return childReport{}
	}
	return report
}

func (e *Engine) startChild() (*child, error) {
	config, err := json.Marshal(childConfig{
		Dir: e.options.Dir, Socket: e.socket, Library: e.options.Library, Listen: e.options.Listen, Config: e.options.Config,
		MaxMemoryBytes: e.options.MaxMemoryBytes, MaxQueryMemoryBytes: e.options.MaxQueryMemoryBytes,
		MaxThreads: e.options.MaxThreads, MaxQueries: e.options.MaxQueries,
		MaxBodyBytes: e.options.MaxBodyBytes, LockWait: e.options.LockWait, MemoryReturn: e.options.MemoryReturn,
	})
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	ordersIn, ordersOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	defer ordersIn.Close()
	reportIn, reportOut, err := os.Pipe()
	if err != nil {
		ordersOut.Close()
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	defer reportOut.Close()

	c := &child{orders: ordersOut, report: reportIn}
	arguments := append(e.options.Command[1:len(e.options.Command):len(e.options.Command)], "-config", string(config))
	c.command = exec.Command(e.options.Command[0], arguments...)
	c.command.Env = append(childEnvironment(os.Environ()), e.options.Env...)
	c.command.ExtraFiles = []*os.File{ordersIn, reportOut} // orderFD, reportFD
	c.command.SysProcAttr = childAttributes()
	c.stderr, err = c.command.StderrPipe()
	if err == nil {
		err = c.command.Start()
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	return c, nil
}

// childEnvironment is the parent's without Tributary's own settings, some of which are secrets.
func childEnvironment(parent []string) []string {
	own := func(entry string) bool { return strings.HasPrefix(entry, "TRIBUTARY_") }
	return append(slices.DeleteFunc(slices.Clone(parent), own), "TZ=UTC")
}

// passOrders tells the child to stop, or kills it, when Stop says so.
func (e *Engine) passOrders(c *child, exited <-chan struct{}) {
	select {
	case <-exited:
		return
	case <-e.stop:
		c.orders.Write([]byte{orderStop}) // a child that cannot read it has ended
	}
	select {
	case <-exited:
	case <-e.kill:
		c.command.Process.Kill()
	}
}

// logLines logs the child's standard error line by line until it ends, and
// returns the last one.
func (e *Engine) logLines(r io.Reader) string {
	last := "it said nothing"
	lines := bufio.NewReaderSize(r, 16<<10)
	for {
		line, err := lines.ReadSlice('\n') // an overlong line comes in pieces
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			last = text
			e.options.Log.Warn("embedded ClickHouse says", "line", text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return last
		}
	}
}
