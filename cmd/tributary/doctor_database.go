package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// checkDatabase asks the SQL database without changing it: opening it as serve
// does would migrate it.
func checkDatabase(ctx context.Context, x *examination) {
	const subject = "database"
	driver, source, name := "pgx", string(x.options.Database), x.options.Database.String()
	if source == "" {
		path, err := filepath.Abs(filepath.Join(x.options.DataDir, databaseFile))
		if err != nil {
			x.found(failing, subject, "", "%v", err)
			return
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			x.found(fine, subject, "", "none yet; the first start makes it")
			return
		}
		driver, name = "sqlite", path
		source = (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String()
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		x.found(failing, subject, "correct --database", "%s cannot be opened", name)
		return
	}
	defer db.Close()
	var one int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM links WHERE 1 = 0").Scan(&one); err != nil {
		x.found(failing, subject, "start it or correct --database; trackers go on without it", "%s does not answer: %v", name, err)
		return
	}
	x.found(fine, subject, "", "%s answers", name)
}
