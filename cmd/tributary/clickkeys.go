package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tributary/attribution"
)

// clickKeyLife is how long a retired key still verifies: longer than the longest
// click window (365 days) and than clicks are kept by default (25 months), so that
// every click that can earn, or be looked at, still answers for itself.
const clickKeyLife = 800 * 24 * time.Hour

// rotated are the secrets with a new current click key. Of the old ones, those
// that retired longer than clickKeyLife ago are gone. The secrets themselves stay
// as they were.
func (s *secrets) rotated(now time.Time) (*secrets, error) {
	at := attribution.InstantOf(now)
	next := &secrets{KeyPepper: s.KeyPepper, ClickKeys: clickKeys{Keys: map[byte][]byte{}, Retired: map[byte]attribution.Instant{}}}
	var nextFree attribution.Instant // when the first of them is gone
	for id, key := range s.ClickKeys.Keys {
		retired := s.ClickKeys.Retired[id]
		if id == s.ClickKeys.Current || retired == 0 {
			retired = at
		}
		gone := attribution.InstantOf(retired.Time().Add(clickKeyLife))
		if gone <= at {
			continue
		}
		if nextFree == 0 || gone < nextFree {
			nextFree = gone
		}
		next.ClickKeys.Keys[id], next.ClickKeys.Retired[id] = key, retired
	}
	for i := 1; i <= 256; i++ {
		id := s.ClickKeys.Current + byte(i)
		if _, taken := next.ClickKeys.Keys[id]; !taken && id != s.ClickKeys.Current {
			next.ClickKeys.Current, next.ClickKeys.Keys[id] = id, randomBytes(attribution.ClickKeyBytes)
			return next, nil
		}
	}
	return nil, fmt.Errorf("all 256 click keys are in use: each verifies for %d days after it was replaced; the next is free on %s",
		int(clickKeyLife.Hours()/24), nextFree.Time().Format(time.DateOnly))
}

// rotateClickKeys gives a data directory a new click key, also while it is
// served, and returns the secrets as they are now. Two rotations at once are done
// one after the other.
func rotateClickKeys(dir string, now time.Time) (*secrets, error) {
	held, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noTributaryIn(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("wait for another rotation: %w", err)
	}
	s, err := readSecrets(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noTributaryIn(dir)
	}
	if err != nil {
		return nil, err
	}
	next, err := s.rotated(now)
	if err != nil {
		return nil, err
	}
	return next, next.write(dir)
}

func noTributaryIn(dir string) error {
	return fmt.Errorf("there is no Tributary in %s: name its directory with --data, or start it once with 'tributary serve'", dir)
}

// followClickKeys takes up click keys that are rotated while the app runs.
func (a *app) followClickKeys(context.Context, appConfig) error {
	a.life.background("click keys", a.watchClickKeys)
	return nil
}

// secretsWatchEvery is how often the file of secrets is looked at.
const secretsWatchEvery = time.Second

// watchClickKeys takes up click keys that were rotated.
func (a *app) watchClickKeys(ctx context.Context) {
	path := filepath.Join(a.dir.path, secretsFile)
	var seen os.FileInfo
	a.every(ctx, secretsWatchEvery, "the click keys were not reloaded; the old ones stay in use", func(context.Context) error {
		now, err := os.Stat(path)
		if err != nil {
			return err
		}
		if seen != nil && os.SameFile(now, seen) && now.ModTime() == seen.ModTime() {
			return nil
		}
		if err := a.reloadClickKeys(); err != nil {
			return err
		}
		seen = now
		return nil
	})
}

// reloadClickKeys reads the click keys again.
func (a *app) reloadClickKeys() error {
	s, err := readSecrets(a.dir.path)
	if err != nil {
		return err
	}
	ring, err := s.clickKeyring()
	if err != nil {
		return fmt.Errorf("click keys: %w", err)
	}
	if a.clickKeys.Current() != ring.Current() {
		a.log.Info("click ids are minted under another key", "key", ring.Current())
	}
	a.clickKeys.Replace(ring)
	return nil
}
