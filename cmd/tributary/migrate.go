package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/ingest"
	"tributary/schema"
	"tributary/schema/database"
)

type migrateCommand struct {
	Settings
	To        string `required:"" placeholder:"DSN" help:"Where to: a ClickHouse DSN, as --clickhouse takes it, or a PostgreSQL DSN, as --database does. The database must exist and be empty."`
	ToCluster string `name:"to-cluster" placeholder:"NAME" help:"The cluster that the ClickHouse servers of --to belong to."`
}

// Help is printed below the verb's first line.
func (migrateCommand) Help() string {
	return "Copies every row to another store and compares both; nothing is removed where it comes from. No process may serve the data directory, nor any " +
		"other node of the installation. With a ClickHouse DSN: clicks, figures and the copy of the ledger, from the embedded ClickHouse or the one that --clickhouse names. " +
		"It may be killed at any moment and started again: what was copied whole is kept, nothing is stored twice, and no process may serve " +
		"what is half moved. With a PostgreSQL DSN: everything in SQLite, in one transaction. It exits with 1 when something differs, and says what; " +
		"at the end it says which setting to change."
}

// migrateAnswer is how long a target may take to answer for the first time.
const migrateAnswer = 20 * time.Second

// Run moves what the target is for.
func (c *migrateCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	config := appConfig{log: slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelWarn})), out: t.Out}
	target := checker{layers: sources}
	if strings.HasPrefix(c.To, "postgres") {
		to := target.dsn("to", c.To, "a DSN such as postgres://user:password@host:5432/tributary", "postgres", "postgresql")
		if err := target.err(); err != nil {
			return err
		}
		return migrateDatabase(ctx, t, options, to)
	}
	to := target.clickhouse("to", c.To, c.ToCluster)
	if err := target.err(); err != nil {
		return err
	}
	return migrateClickHouse(ctx, t, options, config, to, c.ToCluster)
}

// migrateClickHouse moves what ClickHouse stores.
func migrateClickHouse(ctx context.Context, t terminal, o Options, c appConfig, to DSN, cluster string) (err error) {
	if err := mustHoldData(o.DataDir); err != nil {
		return err
	}
	target, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: string(to), Cluster: cluster})
	if err != nil {
		return err
	}
	defer target.Close()
	if err := answers(ctx, target); err != nil {
		return fmt.Errorf("%s does not answer: %w; nothing was moved", to, err)
	}
	o.Tracker, o.Admin = false, false // nothing is served
	a := newApp(o, c)
	defer func() { err = errors.Join(err, a.stop()) }()
	for _, open := range []func(context.Context, appConfig) error{a.openDataDir, a.openClicks, a.openClickHouse} {
		if err := open(ctx, c); err != nil {
			return err
		}
	}
	inFlight, err := ingest.InFlight(a.dir.path, "clicks", a.clicks)
	if err != nil {
		return err
	}
	if inFlight {
		return errors.New("clicks are on their way from the spool to the ClickHouse there is, which may have them already: run 'tributary drain' with the same settings first")
	}
	differences, err := moveRows(ctx, t, a.clickhouse, target)
	if err != nil {
		return err
	}
	for _, difference := range differences {
		fmt.Fprintln(t.Out, "DIFFERS  "+difference.String())
	}
	if len(differences) > 0 {
		return fmt.Errorf("what was moved differs in %d places; see DIFFERS above: empty the target (DROP DATABASE) and run it again", len(differences))
	}
	fmt.Fprintf(t.Out, "every row is in %s, and equal to what it comes from\n", to)
	setting := "--clickhouse with the DSN of --to"
	if cluster != "" {
		setting += ", --clickhouse-cluster " + cluster
	}
	tellNext(t.Out, setting, "ClickHouse", a.engine != nil, a.dir.file(enginePath))
	return nil
}

// answers waits for a server's first answer.
func answers(ctx context.Context, conn driver.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, migrateAnswer)
	defer cancel()
	return conn.Ping(ctx)
}

func moveRows(ctx context.Context, t terminal, from, to driver.Conn) ([]schema.Difference, error) {
	line := newRunLine(t)
	defer line.end()
	return schema.MoveClickHouse(ctx, from, to, func(m schema.Moved) {
		if !line.quiet {
			line.write(fmt.Sprintf("%d of %d rows; %s, partition %s", m.Rows, m.Of, m.Table, m.Partition))
		}
	})
}

// migrateDatabase moves what SQL stores.
func migrateDatabase(ctx context.Context, t terminal, o Options, to DSN) error {
	if o.Database != "" {
		return errors.New("--database names a server already: leave it out, so that what is moved is SQLite in the data directory")
	}
	if err := mustHoldData(o.DataDir); err != nil {
		return err
	}
	dir, err := openDataDir(o.DataDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	from, err := database.Open(ctx, database.Embedded, dir.path)
	if err != nil {
		return err
	}
	defer from.Close()
	target, err := database.Open(ctx, string(to), dir.path)
	if err != nil {
		return err
	}
	defer target.Close()
	waiting, cancel := context.WithTimeout(ctx, migrateAnswer)
	defer cancel()
	if err := target.Await(waiting); err != nil {
		return fmt.Errorf("%s does not answer: %w; nothing was moved", to, err)
	}
	line := newRunLine(t)
	rows, err := database.Move(ctx, from, target, func(table string, rows int64) {
		if !line.quiet && rows%1000 == 0 {
			line.write(fmt.Sprintf("%d rows; %s", rows, table))
		}
	})
	line.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "%d rows are in %s, and equal to what they come from\n", rows, to)
	tellNext(t.Out, "--database with the DSN of --to", "SQLite", true, dir.file(databaseFile))
	return nil
}

// tellNext says which setting to change, and what is not used any more.
func tellNext(out io.Writer, setting, store string, here bool, left string) {
	fmt.Fprintf(out, "Now start serve with %s, on every node.\n", setting)
	if here {
		fmt.Fprintf(out, "The %s in %s is not used any more. Remove it when you have seen that all is well: 'tributary audit'.\n", store, left)
	}
}
