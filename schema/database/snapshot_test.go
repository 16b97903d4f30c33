package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestSnapshotIsOneMomentOfADatabaseThatIsWritten moves money between two rows all
// the time: in no copy is there more or less of it.
func TestSnapshotIsOneMomentOfADatabaseThatIsWritten(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), Embedded, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(text string) {
		t.Helper()
		if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, err := tx.sql.ExecContext(ctx, text)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE accounts (name TEXT, amount INTEGER, padding BLOB)")
	for n := range 50 {
		exec(fmt.Sprintf("INSERT INTO accounts VALUES ('a%d', 100, randomblob(20000))", n))
	}
	stop, cancel := context.WithCancel(t.Context())
	moved := make(chan int)
	go func() {
		n := 0
		for ; stop.Err() == nil; n++ {
			db.Write(context.Background(), func(ctx context.Context, tx *Tx) error {
				_, err := tx.sql.ExecContext(ctx, fmt.Sprintf("UPDATE accounts SET padding = randomblob(%d), amount = amount + CASE name WHEN 'a%d' THEN 1 WHEN 'a%d' THEN -1 ELSE 0 END WHERE name IN ('a%d', 'a%d')", 5000+n%7*3000, n%50, (n+1)%50, n%50, (n+1)%50))
				return err
			})
		}
		moved <- n
	}()
	for range 5 {
		checkSnapshot(t, dir)
	}
	cancel()
	if n := <-moved; n == 0 {
		t.Error("no write went on meanwhile")
	}
}

func checkSnapshot(t *testing.T, dir string) {
	t.Helper()
	snapshot, err := TakeSnapshot(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), FileName)
	f, err := os.Create(copied)
	if err == nil {
		err = errors.Join(snapshot.Copy(t.Context(), f), f.Close(), snapshot.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Size() != snapshot.Bytes() {
		t.Fatalf("the copy has %d bytes, %d were told: %v", info.Size(), snapshot.Bytes(), err)
	}
	c, err := sql.Open("sqlite", copied)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var sum int
	var sound string
	if err := c.QueryRow("SELECT (SELECT SUM(amount) FROM accounts), (SELECT integrity_check FROM pragma_integrity_check LIMIT 1)").Scan(&sum, &sound); err != nil || sum != 5000 || sound != "ok" {
		t.Errorf("the copy holds %d of 5000, and is %s: %v", sum, sound, err)
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	if _, err := TakeSnapshot(t.Context(), t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory without a database: %v", err)
	}
}
