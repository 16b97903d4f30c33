package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tributary/attribution"
)

// secrets are what nobody outside may know and no restart may lose. They lie in
// the data directory, made at the first start.
type secrets struct {
	ClickKeys clickKeys `json:"click_keys"`
	KeyPepper []byte    `json:"key_pepper"` // API keys are stored as hashes under it
}

// clickKeys sign click ids. Older keys stay for as long as a click is asked for.
type clickKeys struct {
	Current byte                         `json:"current"`
	Keys    map[byte][]byte              `json:"keys"`
	Retired map[byte]attribution.Instant `json:"retired,omitempty"` // when another became the current one
}

// pepperBytes is the length of the API keys' pepper.
const pepperBytes = 32

// secrets reads the directory's secrets, or makes them when the directory is
// fresh. A directory that lost them is refused: with new ones every click id
// already handed out would be a forgery and every API key unknown.
func (d *dataDir) secrets() (*secrets, error) {
	s, err := readSecrets(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.fresh:
		return d.makeSecrets()
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the data directory %s holds data but not its secrets: restore %s from your backup, or name an empty directory with --data", d.path, d.file(secretsFile))
	}
	return s, err
}

// readSecrets reads the secrets of a data directory that this process need not
// own.
func readSecrets(dir string) (*secrets, error) {
	path := filepath.Join(dir, secretsFile)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secrets: %w", err)
	}
	var s secrets
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, damagedSecrets(path)
	}
	if _, err := s.clickKeyring(); err != nil || len(s.KeyPepper) != pepperBytes {
		return nil, damagedSecrets(path)
	}
	return &s, nil
}

func damagedSecrets(path string) error {
	return fmt.Errorf("the secrets in %s are damaged: restore the file from your backup", path)
}

func (d *dataDir) makeSecrets() (*secrets, error) {
	s := &secrets{
		ClickKeys: clickKeys{Current: 1, Keys: map[byte][]byte{1: randomBytes(attribution.ClickKeyBytes)}},
		KeyPepper: randomBytes(pepperBytes),
	}
	return s, s.write(d.path)
}

// write puts the secrets into a data directory in one step: whenever the process
// or the machine ends, the file holds these secrets or those before, whole.
func (s *secrets) write(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the secrets: %w", err)
	}
	if err := replaceFile(filepath.Join(dir, secretsFile), content); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

func (s *secrets) clickKeyring() (*attribution.ClickKeyring, error) {
	return attribution.NewClickKeyring(s.ClickKeys.Current, s.ClickKeys.Keys)
}

// randomBytes returns n bytes nobody can guess.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: the runtime ends the process instead
	return b
}
