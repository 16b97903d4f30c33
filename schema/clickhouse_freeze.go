package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// frozenName names what is frozen; there is one at a time.
const frozenName = "backup"

// Frozen is the embedded ClickHouse's database as it was at one moment: hard
// links to its parts, which never change, and copies of what describes them. An
// engine started on the files has that database. They cost disk space only as
// merges replace the parts they hold.
type Frozen struct {
	dir   string
	bytes int64
	small []smallFile
}

// smallFile is a file of the copy in memory.
type smallFile struct {
	name    string
	content []byte
}

// FreezeClickHouse freezes every table of conn's database, which is the embedded
// engine's in dir. Nobody may write meanwhile; it takes milliseconds. Release ends it.
func FreezeClickHouse(ctx context.Context, conn driver.Conn, dir string) (f *Frozen, err error) {
	if err := RemoveFrozen(dir); err != nil {
		return nil, err
	}
	f = &Frozen{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("freeze ClickHouse: %w", err), f.Release())
			f = nil
		}
	}()
	tables, err := storedTables(ctx, conn)
	if err != nil {
		return f, err
	}
	for _, table := range tables {
		if !table.stored {
			continue
		}
		if err := conn.Exec(ctx, "ALTER TABLE `"+table.name+"` FREEZE WITH NAME '"+frozenName+"'"); err != nil {
			return f, fmt.Errorf("table %s: %w", table.name, err)
		}
	}
	var database string
	if err := conn.QueryRow(ctx, "SELECT currentDatabase()").Scan(&database); err != nil {
		return f, err
	}
	if err := f.describe(database, tables); err != nil {
		return f, err
	}
	return f, f.parts(func(_, _ string, size int64) error {
		f.bytes += size
		return nil
	})
}

type storedTable struct {
	name, uuid, definition string
	stored                 bool // it has parts, as a view has not
}

func storedTables(ctx context.Context, conn driver.Conn) (tables []storedTable, err error) {
	rows, err := conn.Query(ctx, ClickHouseQuery("stored_tables"))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t storedTable
		var stored uint8
		if err := rows.Scan(&t.name, &stored, &t.uuid, &t.definition); err != nil {
			return nil, err
		}
		t.stored = stored != 0
		tables = append(tables, t)
	}
	return tables, rows.Err()
}

// describe keeps what says which tables there are, the version of their parts, and
// the changes under way in them: a part frozen before its change is changed by the
// engine that is started on the copy.
func (f *Frozen) describe(database string, tables []storedTable) error {
	if err := f.keep(filepath.Join("metadata", database+".sql")); err != nil {
		return err
	}
	for _, t := range tables {
		definition := t.definition
		if filepath.IsAbs(definition) {
			var err error
			if definition, err = filepath.Rel(f.dir, definition); err != nil {
				return err
			}
		}
		if err := f.keep(definition); err != nil {
			return err
		}
		if !t.stored {
			continue
		}
		home := filepath.Join("store", t.uuid[:3], t.uuid)
		if err := f.keep(filepath.Join(home, "format_version.txt")); err != nil {
			return err
		}
		changes, err := filepath.Glob(filepath.Join(f.dir, home, "mutation_*.txt"))
		if err != nil {
			return err
		}
		for _, change := range changes {
			err := f.keep(filepath.Join(home, filepath.Base(change)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was done, and forgotten, in between
				return err
			}
		}
	}
	return nil
}

func (f *Frozen) keep(name string) error {
	content, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return err
	}
	f.small = append(f.small, smallFile{name, content})
	f.bytes += int64(len(content))
	return nil
}

// Bytes is the size of the copy.
func (f *Frozen) Bytes() int64 { return f.bytes }

// Files hands out the files of the copy, named within the engine's directory, each
// of size bytes. An error of visit ends it.
func (f *Frozen) Files(visit func(name string, size int64, content io.Reader) error) error {
	for _, file := range f.small {
		if err := visit(filepath.ToSlash(file.name), int64(len(file.content)), bytes.NewReader(file.content)); err != nil {
			return err
		}
	}
	return f.parts(func(path, name string, size int64) error {
		open, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("copy ClickHouse's parts: %w", err)
		}
		defer open.Close()
		return visit(name, size, open)
	})
}

// parts visits the files of the frozen parts.
func (f *Frozen) parts(visit func(path, name string, size int64) error) error {
	root := filepath.Join(f.dir, shadowDir, frozenName)
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil // there are no rows at all
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		return visit(path, name, info.Size())
	})
}

// Release gives up what was frozen.
func (f *Frozen) Release() error { return RemoveFrozen(f.dir) }

// shadowDir is where ClickHouse puts what is frozen.
const shadowDir = "shadow"

// RemoveFrozen removes what an earlier life froze and did not release, in the
// embedded engine's directory.
func RemoveFrozen(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, shadowDir)); err != nil {
		return fmt.Errorf("remove what was frozen of ClickHouse: %w", err)
	}
	return nil
}
