package main

import (
	"bytes"
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

// prepared are the secrets with a click key that verifies and does not sign yet;
// where there is one already, it stays. Of the old ones, those that retired longer
// than clickKeyLife ago are gone. The secrets themselves stay as they were.
func (s *secrets) prepared(now time.Time) (*secrets, error) {
	at := attribution.InstantOf(now)
	next := &secrets{KeyPepper: s.KeyPepper, ClickKeys: clickKeys{
		Current: s.ClickKeys.Current, Next: s.ClickKeys.Next, Keys: map[byte][]byte{}, Retired: map[byte]attribution.Instant{},
	}}
	keys := &next.ClickKeys
	var nextFree attribution.Instant // when the first of them is gone
	for id, key := range s.ClickKeys.Keys {
		if id != keys.Current && (keys.Next == nil || id != *keys.Next) {
			retired := s.ClickKeys.Retired[id]
			if retired == 0 {
				retired = at
			}
			gone := attribution.InstantOf(retired.Time().Add(clickKeyLife))
			if gone <= at {
				continue
			}
			if nextFree == 0 || gone < nextFree {
				nextFree = gone
			}
			keys.Retired[id] = retired
		}
		keys.Keys[id] = key
	}
	for i := 1; keys.Next == nil && i < 256; i++ {
		id := keys.Current + byte(i)
		if _, taken := keys.Keys[id]; !taken {
			keys.Next, keys.Keys[id] = &id, randomBytes(attribution.ClickKeyBytes)
		}
	}
	if keys.Next == nil {
		return nil, fmt.Errorf("all 256 click keys are in use: each verifies for %d days after it was replaced; the next is free on %s",
			int(clickKeyLife.Hours()/24), nextFree.Time().Format(time.DateOnly))
	}
	return next, nil
}

// rotated are the secrets with another click key that signs: the one that was
// prepared, or a new one.
func (s *secrets) rotated(now time.Time) (*secrets, error) {
	next, err := s.prepared(now)
	if err != nil {
		return nil, err
	}
	keys := &next.ClickKeys
	keys.Retired[keys.Current] = attribution.InstantOf(now)
	keys.Current, keys.Next = *keys.Next, nil
	return next, nil
}

// changeClickKeys changes the click keys in a file of secrets, also while they are
// in use, and returns the secrets as they are now. Two changes at once are done one
// after the other.
func changeClickKeys(path string, change func(*secrets) (*secrets, error)) (*secrets, error) {
	dir := filepath.Dir(path)
	held, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSecretsIn(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("wait for another rotation: %w", err)
	}
	s, err := readSecrets(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSecretsIn(path)
	}
	if err != nil {
		return nil, err
	}
	next, err := change(s)
	if err != nil {
		return nil, err
	}
	return next, next.write(path)
}

func noSecretsIn(path string) error {
	return fmt.Errorf("there is no Tributary in %s: name its directory with --data, or start it once with 'tributary serve'; secrets that lie elsewhere are named with --secrets", filepath.Dir(path))
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
	path := a.options.secretsPath()
	var seen os.FileInfo
	a.every(ctx, secretsWatchEvery, "the click keys were not reloaded; the old ones stay in use", func(ctx context.Context) error {
		now, err := os.Stat(path)
		if err != nil {
			return err
		}
		if seen != nil && os.SameFile(now, seen) && now.ModTime() == seen.ModTime() {
			return nil
		}
		if err := a.reloadClickKeys(ctx); err != nil {
			return err
		}
		seen = now
		return nil
	})
}

// reloadClickKeys reads the click keys again. Nothing else of the secrets may change.
func (a *app) reloadClickKeys(ctx context.Context) error {
	path := a.options.secretsPath()
	s, err := readSecrets(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(s.KeyPepper, a.secrets.KeyPepper) {
		return fmt.Errorf("%s has become the secrets of another installation: put back what was there", path)
	}
	ctx, cancel := context.WithTimeout(ctx, verbPatience)
	defer cancel()
	var foreign *foreignSecretsError
	if err := s.register(ctx, a.db, path); errors.As(err, &foreign) {
		return err // a database that is away is told later, by the next start
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
