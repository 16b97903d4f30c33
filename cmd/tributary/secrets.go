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

// secrets are what nobody outside may know and no restart may lose, the same on
// every node of an installation. They lie in the data directory, made at the first
// start, or in a file of the operator's.
type secrets struct {
	ClickKeys clickKeys `json:"click_keys"`
	KeyPepper []byte    `json:"key_pepper"` // API keys are stored as hashes under it
}

// clickKeys sign click ids. Older keys stay for as long as a click is asked for.
type clickKeys struct {
	Current byte                         `json:"current"`
	Next    *byte                        `json:"next,omitempty"` // verifies already, and signs after the next rotation
	Keys    map[byte][]byte              `json:"keys"`
	Retired map[byte]attribution.Instant `json:"retired,omitempty"` // when another became the current one
}

// pepperBytes is the length of the API keys' pepper.
const pepperBytes = 32

// secretsPath is where the secrets are.
func (o Options) secretsPath() string {
	if o.Secrets != "" {
		return o.Secrets
	}
	return filepath.Join(o.DataDir, secretsFile)
}

// secrets reads the secrets, or makes them when the directory is fresh and they
// belong into it. Where other nodes may have made some, those lie aside until
// keepSecrets: a start that is killed before has the next one compare them. A directory that lost them is refused: with new ones every click
// id already handed out would be a forgery and every API key unknown.
func (d *dataDir) secrets(o Options) (s *secrets, made bool, err error) {
	s, err = readSecrets(o.secretsPath())
	switch {
	case err == nil: // somebody may have copied them here since
		return s, false, d.dropAside()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, false, err
	case o.Secrets != "":
		return nil, false, fmt.Errorf("--secrets %s: there is no such file: 'tributary key make-secrets %s' makes it, once for all nodes; where a node runs already, copy that one's", o.Secrets, o.Secrets)
	case !d.fresh:
		return nil, false, fmt.Errorf("the data directory %s holds data but not its secrets: restore %s from your backup, or name an empty directory with --data", d.path, d.file(secretsFile))
	}
	if o.Database == "" {
		s = newSecrets()
		return s, false, s.write(o.secretsPath())
	}
	if s, err = readSecrets(d.file(madeSecretsFile)); errors.Is(err, fs.ErrNotExist) {
		s = newSecrets()
		err = s.write(d.file(madeSecretsFile))
	}
	return s, true, err
}

// madeSecretsFile holds secrets that a first start has made, until they are known to be
// the installation's first.
const madeSecretsFile = ".made-" + secretsFile

// keepSecrets puts secrets that were made into their place.
func (d *dataDir) keepSecrets() error {
	if err := os.Rename(d.file(madeSecretsFile), d.file(secretsFile)); err != nil {
		return fmt.Errorf("put the secrets into their place: %w", err)
	}
	return syncDir(d.path)
}

func (d *dataDir) dropAside() error {
	if err := os.Remove(d.file(madeSecretsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove secrets that an earlier start made and nobody used: %w", err)
	}
	return nil
}

// readSecrets reads a file of secrets, which this process need not own.
func readSecrets(path string) (*secrets, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secrets: %w", err)
	}
	var s secrets
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, damagedSecrets(path)
	}
	if _, err := s.clickKeyring(); err != nil || len(s.KeyPepper) != pepperBytes || s.ClickKeys.Next != nil && s.ClickKeys.Keys[*s.ClickKeys.Next] == nil {
		return nil, damagedSecrets(path)
	}
	return &s, nil
}

func damagedSecrets(path string) error {
	return fmt.Errorf("the secrets in %s are damaged: restore the file from your backup", path)
}

func newSecrets() *secrets {
	return &secrets{
		ClickKeys: clickKeys{Current: 1, Keys: map[byte][]byte{1: randomBytes(attribution.ClickKeyBytes)}},
		KeyPepper: randomBytes(pepperBytes),
	}
}

// write puts the secrets into a file in one step: whenever the process or the
// machine ends, the file holds these secrets or those before, whole.
func (s *secrets) write(path string) error {
	content, err := s.encode()
	if err != nil {
		return err
	}
	if err := replaceFile(path, content); err != nil {
		return fmt.Errorf("the secrets in %s cannot be written: %w; give the user this process runs as the right to", path, rootCause(err))
	}
	return nil
}

func (s *secrets) encode() ([]byte, error) {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the secrets: %w", err)
	}
	return content, nil
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
