package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"tributary/schema/engine"
)

// cutStopped takes a data directory that no process has, and that this one has
// locked: every file as it lies there. Nothing is opened, recovered or migrated,
// so that it can be done before an upgrade, and when nothing else can.
func cutStopped(ctx context.Context, dir *dataDir, o Options) (_ *cut, err error) {
	c := &cut{madeAt: time.Now().UTC().Truncate(time.Millisecond)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.release())
		}
	}()
	// An engine whose parent was killed may be on its way out.
	unlock := func() error { return nil }
	if _, err := os.Stat(dir.file(enginePath)); err == nil {
		if unlock, err = engine.Lock(ctx, dir.file(enginePath)); err != nil {
			return nil, err
		}
	} else {
		c.missing = append(c.missing, clickHouseElsewhere)
	}
	defer func() { // behind all that is copied
		c.parts = append(c.parts, cutPart{files: func(context.Context, fileVisitor) error { return nil }, release: unlock})
	}()
	if err := c.database(ctx, o); err != nil {
		return nil, err
	}
	if err := errors.Join(c.plain(dir.path, leftAlone), c.secrets(o)); err != nil {
		return nil, err
	}
	return c, nil
}

// leftAlone names what a start makes by itself in a directory that is not used.
func leftAlone(name string) bool {
	folder, rest, _ := strings.Cut(name, "/")
	switch folder {
	case spoolDir, reportsDir:
		return rest == lockFile || strings.HasSuffix(rest, ".prepared")
	case enginePath:
		inner, _, _ := strings.Cut(rest, "/")
		switch inner {
		case "shadow", "tmp", "data", "engine.lock", "engine.xml", "status":
			return true
		}
	}
	return madeAnew(name)
}
