package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"tributary/schema/database"
)

// An installation is all nodes that share one SQL database. They must have the same
// secrets: with others, a node would give out click ids that no other can read, and
// take every API key for a wrong one. The database holds fingerprints of the
// secrets, noted by the first node that has them, and each node compares its own.

// What the fingerprints of the pepper and of click keys are called.
const (
	pepperName   = "pepper"
	clickKeyName = "click key %d"
)

// fingerprints stand for secrets and reveal nothing of them.
func (s *secrets) fingerprints() (map[string]string, error) {
	prints := map[string]string{}
	note := func(name string, secret []byte) error {
		print, err := hkdf.Key(sha256.New, secret, nil, "tributary fingerprint of "+name, 16)
		if err != nil {
			return fmt.Errorf("derive the fingerprint of a secret: %w", err)
		}
		prints[name] = hex.EncodeToString(print)
		return nil
	}
	err := note(pepperName, s.KeyPepper)
	for id, key := range s.ClickKeys.Keys {
		err = errors.Join(err, note(fmt.Sprintf(clickKeyName, id), key))
	}
	return prints, err
}

// installationName names the installation to what its nodes share.
func (s *secrets) installationName() (string, error) {
	prints, err := s.fingerprints()
	return prints[pepperName], err
}

// A foreignSecretsError says that other nodes have other secrets.
type foreignSecretsError struct {
	path string // of the secrets
	what string // differs
}

func (e *foreignSecretsError) Error() string {
	return fmt.Sprintf("other nodes use this database with other secrets than those in %s (the %s differs): copy the %s of a node that works to %s, or name it with --secrets, and start again; its click ids and API keys are void otherwise",
		e.path, e.what, secretsFile, e.path)
}

// register compares the secrets with those other nodes have, and notes what none
// had before.
func (s *secrets) register(ctx context.Context, db *database.DB, path string) error {
	own, err := s.fingerprints()
	if err != nil {
		return err
	}
	known, err := knownFingerprints(ctx, db)
	if err != nil {
		return err
	}
	outdated := s.outdated(known)
	if found, err := compareFingerprints(own, known, path); found && len(outdated) == 0 || err != nil {
		return err
	}
	// Others may start at the same moment: what they noted first counts.
	return db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := time.Now().UnixMilli()
		for _, name := range outdated {
			if _, err := tx.Exec(ctx, "installation.forget", name); err != nil {
				return err
			}
		}
		for name, print := range own {
			if _, err := tx.Exec(ctx, "installation.note", name, print, now); err != nil {
				return err
			}
		}
		if known, err = knownFingerprints(ctx, tx); err != nil {
			return err
		}
		_, err := compareFingerprints(own, known, path)
		return err
	})
}

// newerKeys is how many click keys behind the current one others may have that this
// node was not brought yet.
const newerKeys = 8

// outdated names the fingerprints of click keys that have expired: their numbers come
// round again, with other keys.
func (s *secrets) outdated(known map[string]string) (names []string) {
	for i := 1; i < 256-newerKeys; i++ {
		id := s.ClickKeys.Current - byte(i)
		name := fmt.Sprintf(clickKeyName, id)
		if _, noted := known[name]; noted && s.ClickKeys.Keys[id] == nil {
			names = append(names, name)
		}
	}
	return names
}

// compareFingerprints reports whether all of own are known, as they are.
func compareFingerprints(own, known map[string]string, path string) (all bool, err error) {
	all = true
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(own))) { // the pepper first: with another, all differ
		theirs, noted := known[name]
		if noted && theirs != own[name] {
			return false, &foreignSecretsError{path, name}
		}
		all = all && noted
	}
	return all, nil
}

func knownFingerprints(ctx context.Context, db database.Reader) (map[string]string, error) {
	rows, err := db.Rows(ctx, "installation.all")
	if err != nil {
		return nil, err
	}
	return scanFingerprints(rows)
}

func scanFingerprints(rows *sql.Rows) (map[string]string, error) {
	defer rows.Close()
	known := map[string]string{}
	for rows.Next() {
		var name, print string
		if err := rows.Scan(&name, &print); err != nil {
			return nil, fmt.Errorf("read the installation's fingerprints: %w", err)
		}
		known[name] = print
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the installation's fingerprints: %w", err)
	}
	return known, nil
}

// How long a database may take that somebody waits for.
const (
	firstStartPatience = 30 * time.Second
	verbPatience       = 10 * time.Second
	registerAgain      = 5 * time.Second
)

// awaitDatabase waits for the database as long as a person does.
func awaitDatabase(ctx context.Context, db *database.DB, dsn DSN) error {
	ctx, cancel := context.WithTimeout(ctx, verbPatience)
	defer cancel()
	if err := db.Await(ctx); err != nil {
		return fmt.Errorf("--database %s: %w", dsn, err)
	}
	return nil
}

// checkSecrets compares this node's secrets with the installation's. A node that
// others would not understand does not start. While the database is away it starts
// all the same, and is told when that is back: it is not ready then, and a tracker
// redirects who comes all the same, because its shoppers want to go somewhere.
func (a *app) checkSecrets(ctx context.Context, _ appConfig) error {
	if a.madeSecrets && a.db.Shared() {
		if err := a.awaitFirst(ctx); err != nil {
			return err
		}
	}
	select {
	case <-a.db.Migrated():
		err := a.secrets.register(ctx, a.db, a.options.secretsPath())
		var foreign *foreignSecretsError
		switch {
		case errors.As(err, &foreign):
			return a.dropMadeSecrets(err)
		case err == nil && a.madeSecrets:
			return a.dir.keepSecrets()
		case err == nil, a.madeSecrets, !database.Unavailable(err):
			return err
		}
	default:
	}
	a.life.background("comparison of secrets", a.keepCheckingSecrets)
	return nil
}

// awaitFirst waits for the database at a node's first start. Secrets that were just
// made must not be used before it is known that no other node has made any.
func (a *app) awaitFirst(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstStartPatience)
	defer cancel()
	if err := a.db.Await(ctx); err != nil {
		return fmt.Errorf("the first start of a node needs the database, or the secrets of the other nodes: start --database %s, or copy their %s to %s: %w",
			a.options.Database, secretsFile, a.options.secretsPath(), err)
	}
	return nil
}

// dropMadeSecrets removes secrets that were made at a first start, once it is known
// that they are not the installation's. Before, an earlier start may have noted them.
func (a *app) dropMadeSecrets(reason error) error {
	if !a.madeSecrets {
		return reason
	}
	return errors.Join(reason, os.Remove(a.dir.file(madeSecretsFile)))
}

// unfit says why nobody should be sent to this node: who comes would get click ids, or
// be known by keys, that no other node knows.
func (a *app) unfit() error {
	if a.foreign.Load() != nil {
		return errors.New("this node's secrets are not those of the other nodes: the log says which file to copy") // and to nobody else
	}
	return nil
}

// keepCheckingSecrets waits for the database and compares then.
func (a *app) keepCheckingSecrets(ctx context.Context) {
	if a.db.Await(ctx) != nil {
		return
	}
	a.until(ctx, registerAgain, "the secrets could not be compared with those of other nodes; it is tried again", func(ctx context.Context) error {
		err := a.secrets.register(ctx, a.db, a.options.secretsPath())
		var foreign *foreignSecretsError
		if errors.As(err, &foreign) {
			a.foreign.Store(foreign)
			a.log.Error("this node has secrets of its own: its click ids and API keys are void elsewhere", "error", err)
			return nil
		}
		return err
	})
}
