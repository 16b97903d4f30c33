package credentials

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tributary/attribution"
)

// A keeper holds a sealed copy of a store on disk, so that a tracker that starts
// while the catalog is away knows whose reports to take. Whoever reads the file
// without the key learns how many credentials there are, about, and no more.
type keeper struct {
	path string
	seal cipher.AEAD

	changed bool      // the store has what the file has not
	written time.Time // when the file was last written
	took    time.Duration
	failed  bool // the last attempt; it was logged
}

const (
	keptMagic = "TRBCREDENTIALS1\n"
	// keptFor is how old a copy may be: an older one may open the door to too many
	// whose keys were revoked since.
	keptFor = 7 * 24 * time.Hour
	// keepPause is the least time between two copies, which also is so many times what
	// the last one took.
	keepPause  = time.Second
	keepFactor = 20
	// keepEvery is how often a copy is made again, so that it does not grow old.
	keepEvery = time.Hour
)

// KeyBytes is the length of the key that Keep takes.
const KeyBytes = 32

// A copied store, in JSON under the seal.
type copied struct {
	WrittenMs   int64                    `json:"written_ms"`
	Advertisers []string                 `json:"advertisers"`
	Credentials []attribution.Credential `json:"credentials"`
}

// Keep has Run begin with the copy at a path, where there is one under this key
// that is not older than 7 days, and write it again when credentials change.
func (f *Follower) Keep(path string, key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("the key of the credentials' copy: %w", err)
	}
	f.keeper = &keeper{path: path}
	f.keeper.seal, err = cipher.NewGCMWithRandomNonce(block)
	return err
}

// remember fills the store from the copy.
func (f *Follower) remember() {
	if f.keeper == nil {
		return
	}
	copied, err := f.keeper.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		f.log.Warn("the copy of credentials is not used; conversions are refused until the catalog answers", "file", f.keeper.path, "error", err)
		return
	}
	fresh := NewStore(f.store.pepper)
	for _, id := range copied.Advertisers {
		fresh.advertisers[id] = true
	}
	for i := range copied.Credentials {
		fresh.replace(&copied.Credentials[i])
	}
	f.store.adopt(fresh)
	f.log.Info("credentials taken from their copy, until the catalog answers", "credentials", len(copied.Credentials),
		"written", time.UnixMilli(copied.WrittenMs).UTC())
}

// keep writes the copy where the store has changed.
func (f *Follower) keep() {
	k := f.keeper
	if k == nil || !f.store.Sure() {
		return
	}
	since := time.Since(k.written)
	if since < max(keepPause, keepFactor*k.took) || !k.changed && since < keepEvery {
		return
	}
	began := time.Now()
	err := k.write(f.store.copied(began))
	if err != nil && !k.failed {
		f.log.Error("the copy of credentials is not written: a restart while the database is away would refuse conversions; make room in the data directory", "file", k.path, "error", err)
	}
	k.written, k.took, k.failed = began, time.Since(began), err != nil
	if err == nil {
		k.changed = false
	}
}

// copied returns what is in the store.
func (s *Store) copied(at time.Time) copied {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := copied{WrittenMs: at.UnixMilli()}
	for id := range s.advertisers {
		c.Advertisers = append(c.Advertisers, id)
	}
	for _, credential := range s.byID {
		c.Credentials = append(c.Credentials, *credential)
	}
	slices.Sort(c.Advertisers)
	slices.SortFunc(c.Credentials, func(a, b attribution.Credential) int { return cmp.Compare(a.ID, b.ID) })
	return c
}

func (k *keeper) read() (copied, error) {
	var c copied
	content, err := os.ReadFile(k.path)
	if err != nil {
		return c, err
	}
	if len(content) < len(keptMagic) || string(content[:len(keptMagic)]) != keptMagic {
		return c, errors.New("it is no copy of credentials")
	}
	opened, err := k.seal.Open(nil, nil, content[len(keptMagic):], []byte(keptMagic))
	if err != nil {
		return c, errors.New("it is damaged, or sealed with other secrets")
	}
	if err := json.Unmarshal(opened, &c); err != nil {
		return c, err
	}
	if age := time.Since(time.UnixMilli(c.WrittenMs)); age > keptFor {
		return c, fmt.Errorf("it is %v old, more than %v", age.Round(time.Hour), keptFor)
	}
	return c, nil
}

// write replaces the copy in one step.
func (k *keeper) write(c copied) error {
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	sealed := k.seal.Seal([]byte(keptMagic), nil, content, []byte(keptMagic))
	temporary, err := os.CreateTemp(filepath.Dir(k.path), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(sealed)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), k.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	dir, err := os.Open(filepath.Dir(k.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
