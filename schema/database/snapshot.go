package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
)

// A Snapshot is the SQLite database of a directory as it was at one moment, to be
// copied while others go on reading and writing. SQLite's log of writes grows
// until Close.
type Snapshot struct {
	pool  *sql.DB
	conn  *sql.Conn
	bytes int64
}

// TakeSnapshot takes a snapshot of the database in dir, whether or not a process
// has it open. It migrates nothing. The error is fs.ErrNotExist when there is no
// database.
func TakeSnapshot(ctx context.Context, dir string) (s *Snapshot, err error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	s = &Snapshot{}
	pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "query_only(1)", "cache_size(-2048)"}}
	if s.pool, err = openSQLitePool(path, pragmas, "_txlock=deferred", 1); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: taking a snapshot of %s: %w", path, err), s.Close())
	}
	return s, nil
}

// begin opens the transaction all is read in. It takes its snapshot with the
// first read.
func (s *Snapshot) begin(ctx context.Context) (err error) {
	if s.conn, err = s.pool.Conn(ctx); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	var tables, pages, pageBytes int64
	for query, into := range map[string]*int64{
		"SELECT COUNT(*) FROM sqlite_schema": &tables, "PRAGMA page_count": &pages, "PRAGMA page_size": &pageBytes,
	} {
		if err := s.conn.QueryRowContext(ctx, query).Scan(into); err != nil {
			return err
		}
	}
	s.bytes = pages * pageBytes
	return nil
}

// Bytes is the size of the copy.
func (s *Snapshot) Bytes() int64 { return s.bytes }

// Copy writes the database file, page by page.
func (s *Snapshot) Copy(ctx context.Context, to io.Writer) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT data FROM sqlite_dbpage ORDER BY pgno")
	if err != nil {
		return fmt.Errorf("database: copying: %w", err)
	}
	defer rows.Close()
	var page sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&page); err != nil {
			return fmt.Errorf("database: copying: %w", err)
		}
		if _, err := to.Write(page); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("database: copying: %w", err)
	}
	return nil
}

// Close gives the snapshot up.
func (s *Snapshot) Close() error {
	var err error
	if s.conn != nil {
		err = s.conn.Close()
	}
	return errors.Join(err, s.pool.Close())
}
