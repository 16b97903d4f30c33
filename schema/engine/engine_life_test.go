package engine

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRestartsAfterKill(t *testing.T) {
	e := start(t, testOptions(t.TempDir()))
	conn := connect(t, e)
	mustExec(t, conn, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS fsync_after_insert = 1, fsync_part_directory = 1")
	mustExec(t, conn, "INSERT INTO t SELECT number FROM numbers(1000)")
	first := e.PID()
	kill(t, first)
	poll(t, "a restart", func() bool { return e.Restarts() == 1 && e.PID() != 0 && e.PID() != first })
	if n := count(t, conn, "SELECT count() FROM t"); n != 1000 {
		t.Errorf("%d rows after the restart, want 1000", n)
	}
	if e.Err() == nil || !strings.Contains(e.Err().Error(), "killed") {
		t.Errorf("Err() = %v, want one that says it was killed", e.Err())
	}
}

func TestStop(t *testing.T) {
	dir := t.TempDir()
	e := start(t, testOptions(dir))
	pid := e.PID()
	for range 2 {
		if err := e.Stop(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	if alive(pid) {
		t.Error("the child outlived Stop")
	}
	if err := e.WaitReady(testContext(t)); !errors.Is(err, ErrStopped) {
		t.Errorf("WaitReady after Stop: %v, want ErrStopped", err)
	}
	if _, err := e.Dial(testContext(t)); !errors.Is(err, ErrStopped) {
		t.Errorf("Dial after Stop: %v, want ErrStopped", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "engine.sock")); err == nil {
		t.Error("the socket is still there")
	}
	start(t, testOptions(dir)) // and the directory is free
}

func TestStopKillsWhenOutOfPatience(t *testing.T) {
	e := start(t, testOptions(t.TempDir()))
	pid := e.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // a child that cannot obey
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
	defer cancel()
	if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop = %v, want deadline exceeded", err)
	}
	if alive(pid) {
		t.Error("the child is still there")
	}
	if err := e.Stop(testContext(t)); err != nil {
		t.Errorf("Stop again: %v", err)
	}
}

// The terminal's and the service manager's signals are the parent's business.
func TestChildIgnoresPoliteSignals(t *testing.T) {
	e := start(t, testOptions(t.TempDir()))
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(e.PID(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := connect(t, e).Ping(testContext(t)); err != nil {
		t.Error(err)
	}
	if e.Restarts() != 0 {
		t.Error("a signal ended the child")
	}
}

func TestChildDiesWithKilledParent(t *testing.T) {
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], dir)
	parent.Env = append(os.Environ(), roleVariable+"=parent")
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		parent.Process.Kill()
		t.Fatalf("the parent said %q", line)
	}
	kill(t, parent.Process.Pid)
	parent.Wait()
	poll(t, "the orphan's end", func() bool { return !alive(pid) })
	start(t, testOptions(dir)) // the socket and the lock it left are no obstacle
}

// Without the kernel's help, as on macOS, the pipe alone ends the child.
func TestOrphanEndsByItself(t *testing.T) {
	e, err := Start(testContext(t), testOptions(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop(context.Background())
	child, err := (&Engine{options: e.options, socket: filepath.Join(t.TempDir(), "s")}).startChild()
	if err != nil {
		t.Fatal(err)
	}
	child.orders.Close() // what the kernel does when a parent dies
	if err := child.command.Wait(); err == nil {
		t.Error("the child ended as if it had been told to")
	}
	child.close()
}

func TestWaitsForOrphan(t *testing.T) {
	dir := t.TempDir()
	holder := start(t, testOptions(dir))
	next, err := Start(testContext(t), testOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.Stop(context.Background()) })
	poll(t, "the second child", func() bool { return next.PID() != 0 })
	kill(t, holder.PID())
	holder.Stop(testContext(t))
	if err := next.WaitReady(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if next.Restarts() != 0 {
		t.Error("the second engine did not wait")
	}
}

func TestHeldDirectory(t *testing.T) {
	dir := t.TempDir()
	holder := start(t, testOptions(dir))
	options := testOptions(dir)
	options.LockWait = 50 * time.Millisecond
	second, err := Start(testContext(t), options)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Stop(context.Background())
	err = second.WaitReady(testContext(t))
	want := []string{dir, "process " + strconv.Itoa(holder.PID()), "--data"}
	for _, part := range want {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("WaitReady = %v, want it to name %s", err, part)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no directory":   {func(o *Options) { o.Dir = "" }, "no directory"},
		"every address":  {func(o *Options) { o.Listen = ":8123" }, "not a loopback address"},
		"public address": {func(o *Options) { o.Listen = "192.0.2.1:8123" }, "not a loopback address"},
		"no port":        {func(o *Options) { o.Listen = "127.0.0.1" }, "127.0.0.1:8123"},
		"no library":     {func(o *Options) { o.Library = "/nonexistent/libchdb.so" }, "make deps"},
		"negative bound": {func(o *Options) { o.MaxThreads = -1 }, "positive"},
	} {
		t.Run(name, func(t *testing.T) {
			options := testOptions(t.TempDir())
			test.change(&options)
			e, err := Start(testContext(t), options)
			if err == nil {
				e.Stop(context.Background())
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start = %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestStartReportsBrokenLibrary(t *testing.T) {
	options := testOptions(t.TempDir())
	options.Library = filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(options.Library, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := Start(testContext(t), options)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop(context.Background())
	if err := e.WaitReady(testContext(t)); err == nil || !strings.Contains(err.Error(), options.Library) {
		t.Errorf("WaitReady = %v, want it to name the library", err)
	}
}

func TestMissingLibraryNamesPlacesAndRemedy(t *testing.T) {
	root := t.TempDir()
	executableDir, work := filepath.Join(root, "bin"), filepath.Join(root, "work")
	_, err := SearchLibrary(executableDir, work)
	for _, part := range []string{"make deps", "--engine-library", executableDir, filepath.Join(root, "lib", "tributary"), filepath.Join(work, "node_modules", "@chdb")} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not name %s", err, part)
		}
	}
	for _, path := range libraryCandidates(executableDir, work) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := SearchLibrary(executableDir, work); err != nil || found != path {
			t.Errorf("found %s, %v; want %s", found, err, path)
		}
		os.Remove(path)
	}
}

// A socket's path is short; a data directory's may not be.
func TestLongDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	e := start(t, testOptions(dir))
	if err := connect(t, e).Ping(testContext(t)); err != nil {
		t.Error(err)
	}
	e.Stop(testContext(t))
	if _, err := os.Stat(filepath.Dir(e.socket)); err == nil {
		t.Error("the socket's directory is still there")
	}
}

func kill(t testing.TB, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("no process: pid %d", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// alive tells whether a process runs; one that is dead but not yet waited for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(state), ") Z ")
}

func poll(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no sign of %s", what)
		}
	}
}
