package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"tributary/schema/database"
)

// checkDatabase asks the SQL database without changing it: opening it as serve
// does would migrate it.
func checkDatabase(ctx context.Context, x *examination) {
	const subject = "database"
	if x.options.Database != "" {
		name := x.options.Database.String()
		version, applied, err := database.ProbePostgres(ctx, string(x.options.Database))
		switch {
		case err != nil:
			x.found(failing, subject, "start it or correct --database; trackers go on without it", "%s does not answer: %v", name, err)
		case applied == 0:
			x.found(fine, subject, "", "%s answers (PostgreSQL %s) and is empty; the first start makes its tables", name, version)
		default:
			x.found(fine, subject, "", "%s answers (PostgreSQL %s)", name, version)
		}
		return
	}
	path, err := filepath.Abs(filepath.Join(x.options.DataDir, databaseFile))
	if err != nil {
		x.found(failing, subject, "", "%v", err)
		return
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		x.found(fine, subject, "", "none yet; the first start makes it")
		return
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String())
	if err != nil {
		x.found(failing, subject, "", "%s cannot be opened", path)
		return
	}
	defer db.Close()
	var one int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM links WHERE 1 = 0").Scan(&one); err != nil {
		x.found(failing, subject, "restore it from a backup", "%s does not answer: %v", path, err)
		return
	}
	x.found(fine, subject, "", "%s answers", path)
}
