package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tributary/background"
	"tributary/cmd/tributary/archive"
	"tributary/ingest/spool"
	"tributary/schema"
	"tributary/schema/database"
)

// A cut is a data directory as it was at one moment, to be written as a backup
// while the directory goes on changing.
type cut struct {
	madeAt  time.Time
	missing []string
	parts   []cutPart
}

// A fileVisitor is handed a file of exactly size bytes.
type fileVisitor = func(name string, size int64, content io.Reader) error

// A cutPart is what a cut has of one store.
type cutPart struct {
	folder  string // its files' names are within
	bytes   int64
	files   func(context.Context, fileVisitor) error
	release func() error
}

// How long a cut may wait for what is under way, and its notes of what it lacks.
const (
	cutPatience = time.Minute

	clickHouseElsewhere = "clicks and reports, which are in a ClickHouse of yours: back it up with its BACKUP statement or clickhouse-backup"
	databaseElsewhere   = "advertisers, links, keys and money, which are in PostgreSQL: back it up with pg_dump"
	oneMoment           = "backups of several stores fit together only when nothing was written between them: stop Tributary, back up all, start it"
)

// cut takes what a running process has, all of one moment.
//
// The moment is made by holding still what moves records from one store to the
// next, and nothing else: shoppers are redirected, orders taken and settled all
// the while.
//
//  1. The shipper and the copy of the ledger pause. No batch is in flight then:
//     ClickHouse has the clicks up to the click spool's cursor, each once, and the
//     ledger up to where the outbox begins.
//  2. Both spools are held, so that what lies behind their cursors now stays.
//  3. Writers of SQL wait. What changes several stores in steps, such as an erasure,
//     keeps in SQL how far it is, and is as after a kill: it goes on from there.
//  4. ClickHouse's parts are frozen, by hard links, and SQLite's snapshot begins. It
//     is ahead of ClickHouse by what is in its outbox, and of the cursor of the
//     conversions spool by what was settled since: its position says so, and none of
//     that is settled again. Then SQL's writers go on.
//  5. The spools are cut behind all that was appended so far, and so behind all that
//     SQL has settled: no number is given to two records.
//
// Then shipper and copy go on too, some milliseconds after they paused, and the
// files are read at leisure.
func (a *app) cut(ctx context.Context) (_ *cut, err error) {
	c := &cut{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.release())
		}
	}()
	resume, err := a.standStill(ctx)
	if err != nil {
		return nil, err
	}
	defer resume()
	began := time.Now()
	c.madeAt = began.UTC().Truncate(time.Millisecond)
	clicks, reports := a.clicks.Hold(), a.reports.Hold()
	err = a.db.Write(ctx, func(context.Context, *database.Tx) error {
		return errors.Join(c.clickHouse(ctx, a), c.database(ctx, a.options))
	})
	// Spools come first: while they are held they only grow.
	err = errors.Join(err, c.spool(reportsDir, reports), c.spool(spoolDir, clicks))
	if err == nil {
		err = c.quarantine(a)
	}
	if err == nil {
		err = errors.Join(c.plain(a.dir.path, keptByOthers), c.secrets(a.options))
	}
	if err != nil {
		return nil, err
	}
	a.log.Info("backup begins", "bytes", c.bytes(), "shipping_paused", time.Since(began).Round(time.Microsecond))
	return c, nil
}

// standStill pauses what copies from store to store.
func (a *app) standStill(ctx context.Context) (resume func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, cutPatience)
	defer cancel()
	select {
	case <-a.migrated:
	case <-ctx.Done():
		return nil, errors.New("ClickHouse does not answer: mend that first, see the log, or stop Tributary and make the backup then, which needs no ClickHouse")
	}
	unpause, err := a.shipper.Pause(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: mend ClickHouse first, see the log, or stop Tributary and make the backup then, which needs no ClickHouse", err)
	}
	if err := lockWithin(ctx, &a.copy.turn); err != nil {
		unpause()
		return nil, fmt.Errorf("the copy of the ledger to ClickHouse does not end: %w", err)
	}
	return func() { a.copy.turn.Unlock(); unpause() }, nil
}

// lockWithin locks the mutex unless ctx ends first.
func lockWithin(ctx context.Context, mutex *sync.Mutex) error {
	for !mutex.TryLock() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func (c *cut) clickHouse(ctx context.Context, a *app) error {
	if a.engine == nil {
		c.missing = append(c.missing, clickHouseElsewhere)
		return nil
	}
	frozen, err := schema.FreezeClickHouse(ctx, a.clickhouse, a.dir.file(enginePath))
	if err != nil {
		return err
	}
	c.parts = append(c.parts, cutPart{
		folder: enginePath, bytes: frozen.Bytes(), release: frozen.Release,
		files: func(_ context.Context, visit fileVisitor) error { return frozen.Files(visit) },
	})
	return nil
}

func (c *cut) database(ctx context.Context, o Options) error {
	if dsn := string(o.Database); dsn != "" && dsn != database.Embedded {
		c.missing = append(c.missing, databaseElsewhere)
		return nil
	}
	snapshot, err := database.TakeSnapshot(ctx, o.DataDir)
	if err != nil {
		return err
	}
	c.first(cutPart{
		bytes: snapshot.Bytes(), release: snapshot.Close,
		files: func(ctx context.Context, visit fileVisitor) error {
			pages, to := io.Pipe()
			defer pages.Close()
			go func() {
				background.GiveWay()
				to.CloseWithError(snapshot.Copy(ctx, to))
			}()
			return visit(databaseFile, snapshot.Bytes(), pages)
		},
	})
	return nil
}

func (c *cut) spool(folder string, hold *spool.Hold) error {
	release := func() error { hold.Release(); return nil }
	if err := hold.Cut(); err != nil {
		return errors.Join(err, release())
	}
	c.first(cutPart{
		folder: folder, bytes: hold.Bytes(), release: release,
		files: func(_ context.Context, visit fileVisitor) error { return hold.Files(visit) },
	})
	return nil
}

func (c *cut) quarantine(a *app) error {
	files, err := a.quarantine.Files()
	if err != nil {
		return err
	}
	for _, f := range files {
		open, err := os.Open(f.Path) // an erasure may put another in its place
		if err != nil {
			return fmt.Errorf("make a backup: %w", err)
		}
		name := path.Join(quarantineDir, filepath.Base(f.Path))
		c.parts = append(c.parts, cutPart{bytes: f.Bytes, release: open.Close, files: func(_ context.Context, visit fileVisitor) error {
			return visit(name, f.Bytes, open)
		}})
	}
	return nil
}

func (c *cut) first(p cutPart) { c.parts = append([]cutPart{p}, c.parts...) }

// fileOnDisk is a file of which what is there now stays.
func fileOnDisk(name, path string, size int64) cutPart {
	return cutPart{bytes: size, files: func(_ context.Context, visit fileVisitor) error {
		open, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("make a backup: %w", err)
		}
		defer open.Close()
		return visit(name, size, open)
	}}
}

// maxReadAtOnce is up to where a file is read when the cut is made: small files are
// replaced whole by new ones, large ones only grow.
const maxReadAtOnce = 1 << 20

// plain adds the files of the directory that skip does not name: all there is, so
// that nothing a later version keeps is forgotten.
func (c *cut) plain(dir string, skip func(name string) bool) error {
	return filepath.WalkDir(dir, func(found string, entry fs.DirEntry, err error) error {
		if err != nil || found == dir {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(found, dir+string(filepath.Separator)))
		switch {
		case skip(name) && entry.IsDir():
			return filepath.SkipDir
		case skip(name) || !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() > maxReadAtOnce {
			c.parts = append(c.parts, fileOnDisk(name, found, info.Size()))
			return nil
		}
		content, err := os.ReadFile(found)
		if err != nil {
			return err
		}
		c.parts = append(c.parts, cutPart{bytes: int64(len(content)), files: func(_ context.Context, visit fileVisitor) error {
			return visit(name, int64(len(content)), bytes.NewReader(content))
		}})
		return nil
	})
}

// secrets adds the installation's secrets, also where they lie elsewhere: a restored
// directory is served with its own.
func (c *cut) secrets(o Options) error {
	content, err := os.ReadFile(o.secretsPath())
	if err != nil {
		return fmt.Errorf("make a backup: read the secrets: %w", err)
	}
	c.parts = append(c.parts, cutPart{bytes: int64(len(content)), files: func(_ context.Context, visit fileVisitor) error {
		return visit(secretsFile, int64(len(content)), bytes.NewReader(content))
	}})
	return nil
}

// madeAnew names what a start makes by itself, and SQLite's files, which are copied
// as a snapshot, and the secrets, which may lie elsewhere. The salts of visitor hashes are made anew every day and then
// forgotten, so that nobody can be followed: a backup must not remember them.
func madeAnew(name string) bool {
	folder, rest, _ := strings.Cut(name, "/")
	switch folder {
	case lockFile, controlDir, secretsFile, saltsFile, databaseFile, databaseFile + "-wal", databaseFile + "-shm", restoringDir:
		return true
	case linksDir:
		return rest != "" && rest != limitsFile
	}
	return strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".next") // half written
}

// limitsFile counts the clicks of links that may have only so many.
const limitsFile = "links.limits"

// keptByOthers names what a running process has parts of its cut for.
func keptByOthers(name string) bool {
	switch name {
	case spoolDir, reportsDir, enginePath, quarantineDir, inFlightFile:
		return true
	}
	return madeAnew(name)
}

// inFlightFile is the shipper's note of the batches in flight; a cut has none.
const inFlightFile = "clicks.inflight.json"

func (c *cut) bytes() (n int64) {
	for i := range c.parts {
		n += c.parts[i].bytes
	}
	return n
}

// write writes the backup, and gives up each store as soon as it is copied.
func (c *cut) write(ctx context.Context, to io.Writer) error {
	if len(c.missing) > 0 {
		c.missing = append(c.missing, oneMoment)
	}
	buffer := bufio.NewWriterSize(to, writeBuffer)
	w, err := archive.NewWriter(buffer, archive.Header{Program: version, MadeAt: c.madeAt, Bytes: c.bytes(), Missing: c.missing})
	if err != nil {
		return err
	}
	for i := range c.parts {
		p := &c.parts[i]
		err := p.files(ctx, func(name string, size int64, content io.Reader) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return w.File(path.Join(p.folder, name), size, content)
		})
		if err := errors.Join(err, p.give()); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), buffer.Flush())
}

// writeBuffer gathers what is written of small files.
const writeBuffer = 256 << 10

// give releases the part, once.
func (p *cutPart) give() error {
	release := p.release
	if p.release = nil; release == nil {
		return nil
	}
	return release()
}

// release gives up what is held. It may be called again.
func (c *cut) release() error {
	var failed []error
	for i := range c.parts {
		failed = append(failed, c.parts[i].give())
	}
	return errors.Join(failed...)
}
