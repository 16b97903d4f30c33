package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tributary/cmd/tributary/archive"
)

type restoreCommand struct {
	StoreSettings
	From   string `arg:"" placeholder:"FILE|DIR|-" help:"The backup: a file, a directory whose newest one it is, or - for standard input."`
	DryRun bool   `help:"Only check that the backup is whole, and say what it is of."`
}

// Help is printed below the verb's first line.
func (restoreCommand) Help() string {
	return "Puts a backup into an empty data directory, which can be served then. A backup that is damaged or cut short is refused and " +
		"leaves nothing behind; a restore that is cut short is begun again by the same command, and not served before. Never let the restored " +
		"directory and the one the backup was made of be served at the same time: both would send webhooks and number clicks."
}

// Run restores a backup.
func (c *restoreCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	from, name, err := openBackup(c.From)
	if err != nil {
		return err
	}
	defer from.Close()
	bar := newByteBar(t)
	source := io.TeeReader(&interruptible{ctx, from}, bar)
	var header archive.Header
	noteHeader := func(h archive.Header) error {
		header = h
		return bar.expect(h)
	}
	var seal archive.Seal
	if c.DryRun {
		seal, err = archive.Read(source, archive.Visitor{Header: noteHeader})
	} else {
		seal, err = restore(options.DataDir, source, noteHeader)
	}
	bar.end()
	if err != nil {
		return fmt.Errorf("%s: %w", name, noRoom(err))
	}
	what := "restored into " + options.DataDir
	if c.DryRun {
		what = "whole"
	}
	fmt.Fprintf(t.Out, "%s: %s: %d files, %s, as of %s, made by Tributary %s\n", name, what, seal.Files, asBytes(seal.Bytes), header.MadeAt.Format(time.RFC3339), header.Program)
	tellMissing(t.Out, header)
	return nil
}

// openBackup opens a backup by what the operator called it.
func openBackup(name string) (io.ReadCloser, string, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), "standard input", nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		backups, err := backupsIn(name)
		if err != nil {
			return nil, "", err
		}
		if len(backups) == 0 {
			return nil, "", fmt.Errorf("there is no backup in %s: they are called %s…%s there", name, backupPrefix, backupSuffix)
		}
		name = backups[len(backups)-1]
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("open the backup: %w", err)
	}
	return file, name, nil
}

// An interruptible reader ends when its context does.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	return r.Reader.Read(p)
}

// restoringDir is in a data directory that is being restored and in no other:
// what it holds was not checked yet, or not all moved to its place.
const restoringDir = ".restoring"

// restore puts a backup into an empty data directory: aside until its seal was
// checked and all is on disk, then into place, the secrets last, without which the
// directory is not served.
func restore(path string, from io.Reader, header func(archive.Header) error) (seal archive.Seal, err error) {
	if err := checkEmpty(path); err != nil {
		return seal, err
	}
	dir, err := openDataDir(path)
	if err != nil {
		return seal, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := empty(dir.path); err != nil {
		return seal, fmt.Errorf("empty what an earlier restore left: %w", err)
	}
	aside := dir.file(restoringDir)
	if err := os.Mkdir(aside, 0o700); err != nil {
		return seal, unwritable(path, err)
	}
	if seal, err = archive.Read(from, archive.Visitor{Header: header, File: extractInto(aside)}); err != nil {
		return seal, errors.Join(err, os.RemoveAll(aside))
	}
	if _, err := readSecrets(filepath.Join(aside, secretsFile)); err != nil {
		return seal, errors.Join(fmt.Errorf("the backup has no secrets: %w", err), os.RemoveAll(aside))
	}
	if err := errors.Join(syncAll(aside), syncDir(dir.path)); err != nil {
		return seal, fmt.Errorf("write the data directory to disk: %w", err)
	}
	return seal, intoPlace(dir, aside)
}

// extractInto writes files of a backup below dir.
func extractInto(dir string) func(name string, size int64, content io.Reader) error {
	return func(name string, _ int64, content io.Reader) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	}
}

// intoPlace moves what was restored to where it is served from.
func intoPlace(dir *dataDir, aside string) error {
	entries, err := os.ReadDir(aside)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == secretsFile {
			continue
		}
		if err := os.Rename(filepath.Join(aside, entry.Name()), dir.file(entry.Name())); err != nil {
			return err
		}
	}
	if err := syncDir(dir.path); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(aside, secretsFile), dir.file(secretsFile)); err != nil {
		return err
	}
	if err := os.Remove(aside); err != nil {
		return err
	}
	return syncDir(dir.path)
}

// checkEmpty refuses a directory that holds anything but what an earlier restore
// left that was cut short.
func checkEmpty(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	var found string
	for _, entry := range entries {
		switch entry.Name() {
		case restoringDir:
			return nil
		case lockFile, lostAndFound:
		default:
			found = entry.Name()
		}
	}
	if found != "" {
		return fmt.Errorf("the data directory %s is not empty (it has %s): name an empty one with --data, or move that one away", path, found)
	}
	return nil
}

// lostAndFound is in the root of file systems.
const lostAndFound = "lost+found"

// empty removes what an earlier restore left, its mark last.
func empty(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch entry.Name() {
		case lockFile, lostAndFound, restoringDir:
		default:
			if err := os.RemoveAll(filepath.Join(path, entry.Name())); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(filepath.Join(path, restoringDir))
}

// checkRestored refuses a directory whose restore was cut short.
func (d *dataDir) checkRestored() error {
	if _, err := os.Lstat(d.file(restoringDir)); err == nil {
		return fmt.Errorf("a restore into the data directory %s was cut short: run 'tributary restore' again", d.path)
	}
	return nil
}
