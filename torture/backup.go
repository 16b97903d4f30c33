package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The length and load of restored.
const (
	backupsShort, backupsLong       = 1, 10
	backupRateShort, backupRateLong = 500.0, 5_000.0
	backupLoad                      = 10 * time.Second // before each backup, in the long form
)

// restored makes a backup under load, has the machine lost in a blow, and restores
// the backup on an empty directory, which then takes the load over. What was
// acknowledged before the backup began is there once, what was sent after it had
// ended is not.
func restored(ctx context.Context, t *trial) error {
	w, err := t.begin(ctx, "data-0", nil)
	if err != nil {
		return err
	}
	rate := backupRateLong
	if t.short {
		rate = backupRateShort
	}
	for n := range t.count(backupsShort, backupsLong) {
		crowd, counter := t.gather(ctx, w, 8, rate), t.open(ctx, w)
		if err := crowd.clicking(ctx, 200); err != nil {
			return err
		}
		if err := counter.taking(ctx, 20); err != nil {
			return err
		}
		if !t.short {
			if err := sleep(ctx, backupLoad); err != nil {
				return err
			}
		}
		next, err := t.moved(ctx, w, fmt.Sprintf("data-%d", n+1), crowd)
		if err != nil {
			return err
		}
		crowd.disperse()
		counter.close()
		t.unexpected(crowd, counter)
		if err := w.server.kill(); err != nil {
			return err
		}
		w = next
		if err := w.server.run(ctx); err != nil {
			return err
		}
		t.result.Cycles++
	}
	crowd, counter := t.gather(ctx, w, 8, rate), t.open(ctx, w)
	if err := crowd.clicking(ctx, 200); err != nil {
		return err
	}
	if err := counter.taking(ctx, 20); err != nil {
		return err
	}
	crowd.disperse()
	counter.close()
	t.undisturbed(crowd)
	t.unexpected(crowd, counter)
	return t.reckon(ctx, w)
}

// moved makes a backup of a world's server and restores it into a directory that is
// not served yet. The world it returns knows what must be there.
func (t *trial) moved(ctx context.Context, w *world, name string, crowd *crowd) (*world, error) {
	file := filepath.Join(t.dir, name+".backup")
	next := *w
	next.clicks, next.orders = w.clicks.asOfNow(), w.orders.asOfNow()
	began := time.Now()
	if err := t.verb(ctx, "backup", "--data", w.server.data, file); err != nil {
		return nil, err
	}
	took := time.Since(began)
	next.clicks.admit(w.clicks)
	next.orders.admit(w.orders)
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if err := crowd.clicking(ctx, 50); err != nil { // they are lost with the machine
		return nil, err
	}
	if next.server, err = t.newServer(name, nil); err != nil {
		return nil, err
	}
	began = time.Now()
	if err := t.verb(ctx, "restore", "--data", next.server.data, file); err != nil {
		return nil, err
	}
	t.note("a backup of %d MB took %.1f s, its restore %.1f s", info.Size()>>20, took.Seconds(), time.Since(began).Seconds())
	return &next, os.Remove(file)
}

// verb runs another verb of the product.
func (t *trial) verb(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, t.binary, args...)
	cmd.Dir = t.dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("tributary %s: %w\n%s", args[0], err, said)
	}
	return nil
}
