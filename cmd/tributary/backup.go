package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"tributary/cmd/tributary/archive"
)

type backupCommand struct {
	StoreSettings
	To   string `arg:"" placeholder:"FILE|DIR|-" help:"Where to write it: a file, which it replaces once it is whole; a directory, in which it makes a file named after the time; or - for standard output."`
	Keep int    `placeholder:"N" help:"In a directory: remove all but the newest N of the backups there, once this one is whole. All are kept by default."`
}

// Help is printed below the verb's first line.
func (backupCommand) Help() string {
	return "Writes all that a data directory holds, as it is at one moment, into one file: also while a process serves the directory, whose " +
		"shoppers and shops notice nothing. The file holds the secrets: keep it as they are kept. What lies in a ClickHouse or PostgreSQL of " +
		"your own is not in it, and it says so. A backup that was cut short never has the name of a whole one, and is known by its checksum. " +
		"The exit code is 0 only for a whole one. 'tributary restore' puts it back."
}

// Run makes a backup.
func (c *backupCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	target, err := openTarget(c.To, t, time.Now())
	if err != nil {
		return err
	}
	defer target.abandon()
	if c.Keep < 0 || c.Keep > 0 && target.dir == "" {
		return fmt.Errorf("--keep is a number of backups in a directory: name one that exists")
	}
	bar := newByteBar(t)
	header, seal, err := makeBackup(ctx, options, io.MultiWriter(target, bar), bar.expect)
	bar.end()
	if err != nil {
		return noRoom(err)
	}
	if err := target.finish(); err != nil {
		return fmt.Errorf("finish the backup: %w", err)
	}
	fmt.Fprintf(t.Err, "%s: %d files, %s, as of %s\n", target.name, seal.Files, asBytes(seal.Bytes), header.MadeAt.Format(time.RFC3339))
	tellMissing(t.Err, header)
	return removeOldest(t.Err, target.dir, c.Keep)
}

func tellMissing(out io.Writer, h archive.Header) {
	for _, missing := range h.Missing {
		fmt.Fprintln(out, "NOT IN IT  "+missing)
	}
}

// noRoom says what to do about a full disk.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: make room, or name another place; what was written is removed", err)
	}
	return err
}

// makeBackup writes a backup of a data directory and reads what it writes, so that
// it returns without an error only for a whole one.
func makeBackup(ctx context.Context, o Options, to io.Writer, expect func(archive.Header) error) (h archive.Header, s archive.Seal, err error) {
	content, finish, err := backupOf(ctx, o)
	if err != nil {
		return h, s, err
	}
	sink := &sinkWriter{Writer: to}
	copied := io.TeeReader(content, sink)
	s, err = archive.Read(copied, archive.Visitor{Header: func(read archive.Header) error {
		h = read
		return expect(h)
	}})
	if err == nil {
		_, err = io.Copy(io.Discard, copied) // the rest of the last block
	}
	if failed := errors.Join(sink.err, finish()); failed != nil {
		err = failed // the reason why what was read is not whole
	}
	return h, s, err
}

// A sinkWriter remembers why it could not write.
type sinkWriter struct {
	io.Writer
	err error
}

func (s *sinkWriter) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil {
		s.err = fmt.Errorf("write the backup: %w", err)
	}
	return n, err
}

// backupOf begins a backup: by the process that has the directory, or, when none
// has, by this one. finish ends it and says what went wrong on the other side.
func backupOf(ctx context.Context, o Options) (content io.Reader, finish func() error, err error) {
	if err := mustHoldData(o.DataDir); err != nil {
		return nil, nil, err
	}
	dir, err := openDataDir(o.DataDir)
	var inUse *inUseError
	if errors.As(err, &inUse) {
		return askForBackup(ctx, o.DataDir)
	}
	if err != nil {
		return nil, nil, err
	}
	c, err := cutStopped(ctx, dir, o)
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := c.write(ctx, to)
		to.CloseWithError(err)
		done <- errors.Join(err, c.release())
	}()
	return from, func() error {
		from.Close()
		err := <-done
		if errors.Is(err, io.ErrClosedPipe) { // the reader gave up, for a reason of its own
			err = nil
		}
		return errors.Join(err, dir.Close())
	}, nil
}

// cutAnswer is how long a process may take until it sends the first byte.
const cutAnswer = 3 * time.Minute

// askForBackup has the process that serves the directory make it.
func askForBackup(ctx context.Context, dataDir string) (content io.Reader, finish func() error, err error) {
	transport := &http.Transport{
		DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return dialControl(ctx, dataDir) },
		ResponseHeaderTimeout: cutAnswer,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://tributary"+backupPath, nil)
	if err != nil {
		return nil, nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, fmt.Errorf("the process that serves %s does not answer: it may be starting or stopping, or be of a version without backups; try again, or stop it and make the backup then: %w", dataDir, err)
	}
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what there is of it is better than nothing
		response.Body.Close()
		return nil, nil, fmt.Errorf("no backup: %s", strings.TrimSpace(string(reason)))
	}
	return response.Body, func() error {
		defer transport.CloseIdleConnections()
		if said := response.Trailer.Get(backupErrorKey); said != "" {
			return errors.Join(fmt.Errorf("the process could not finish the backup: %s", said), response.Body.Close())
		}
		return response.Body.Close()
	}, nil
}

// A target is where a backup is written.
type target struct {
	name string
	dir  string   // that the file is in, when a directory was given
	file *os.File // nil: standard output
	io.Writer
}

// Names of backups in a directory. They sort by their moment.
const (
	backupPrefix  = "tributary-"
	backupSuffix  = ".tar"
	backupMoment  = "20060102T150405Z"
	partialSuffix = ".partial"
)

// openTarget opens the file a backup is written to until it is whole.
func openTarget(to string, t terminal, now time.Time) (*target, error) {
	if to == "-" {
		if out, isFile := t.Out.(*os.File); isFile && isatty.IsTerminal(out.Fd()) {
			return nil, errors.New("a backup is no text for a terminal: pipe it, or name a file")
		}
		return &target{name: "standard output", Writer: t.Out}, nil
	}
	w := &target{name: to}
	partial := to + partialSuffix
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		w.dir, w.name = to, filepath.Join(to, backupPrefix+now.UTC().Format(backupMoment)+backupSuffix)
		partial = filepath.Join(to, backupPrefix+"backup"+partialSuffix)
	}
	var err error
	if w.file, err = os.OpenFile(partial, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	w.Writer = w.file
	if syscall.Flock(int(w.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		w.file.Close()
		return nil, fmt.Errorf("another backup is being written to %s: wait for its end", partial)
	}
	if err := errors.Join(w.file.Chmod(0o600), w.file.Truncate(0)); err != nil {
		w.abandon()
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	return w, nil
}

// finish gives the file its name, on disk.
func (w *target) finish() error {
	if w.file == nil {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(w.file.Name(), w.name); err != nil {
		return err
	}
	file := w.file
	w.file = nil
	return errors.Join(file.Close(), syncDir(filepath.Dir(w.name)))
}

// abandon removes what is not finished.
func (w *target) abandon() {
	if w.file != nil {
		os.Remove(w.file.Name())
		w.file.Close()
		w.file = nil
	}
}

// backupsIn are the whole backups in a directory, oldest first.
func backupsIn(dir string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, backupPrefix+"*"+backupSuffix))
	if err != nil {
		return nil, fmt.Errorf("look for backups in %s: %w", dir, err)
	}
	found = slices.DeleteFunc(found, func(path string) bool {
		moment := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), backupPrefix), backupSuffix)
		_, err := time.Parse(backupMoment, moment)
		return err != nil
	})
	slices.Sort(found)
	return found, nil
}

// removeOldest leaves the newest keep backups of a directory; 0 leaves all.
func removeOldest(out io.Writer, dir string, keep int) error {
	if keep == 0 {
		return nil
	}
	backups, err := backupsIn(dir)
	if err != nil {
		return err
	}
	for _, old := range backups[:max(0, len(backups)-keep)] {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("the backup is whole, but an old one cannot be removed: %w", err)
		}
		fmt.Fprintf(out, "removed %s\n", old)
	}
	return nil
}
