package schema

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// movingTable is in a database that data is being moved into: whose it is, and which
// partitions of which tables are there whole.
const movingTable = "moving_in"

const createMovingTable = `CREATE TABLE IF NOT EXISTS moving_in (source String, name String) ENGINE = MergeTree ORDER BY name
	SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`

// The bounds of a move.
const (
	moveChunk      = 50_000 // rows of one insert
	moveTries      = 5      // of one insert
	movePause      = time.Second
	moveQueryLimit = 6 * time.Hour // of one partition
)

// A Moved says what a move did so far.
type Moved struct {
	Table, Partition string // under way
	Rows, Of         uint64 // of all tables
}

// A Difference is a place in which two ClickHouses are not the same.
type Difference struct {
	Table, Partition, AdvertiserID string
	From, To                       string // what each adds up to
}

func (d Difference) String() string {
	return fmt.Sprintf("%s, partition %s, advertiser %s: %s where it comes from, %s where it went", d.Table, d.Partition, d.AdvertiserID, d.From, d.To)
}

// MoveClickHouse copies every row of one ClickHouse into another, which must be empty or
// have been begun with by an earlier try of the same move, and compares both. Rollups are
// copied as they are: the views that make them are made in the end.
//
// It may be ended at any moment and repeated: a partition that is not there whole is
// dropped and copied anew, and those that are, are known. Nobody may write to either.
// When both differ, the differences are returned, and the move is not finished.
func MoveClickHouse(ctx context.Context, from, to driver.Conn, progress func(Moved)) ([]Difference, error) {
	m := &move{from: from, to: to, life: rand.Text(), done: map[string]bool{}, progress: progress}
	var err error
	if m.migrations, err = loadMigrations(clickhouseFiles, clickhouseMigrationDir); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{m.read, m.claim, m.prepare, m.copyAll} {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if m.there {
			return nil, nil
		}
	}
	differences, err := m.compare(ctx)
	if err != nil || len(differences) > 0 {
		return differences, err
	}
	return nil, m.finish(ctx)
}

type move struct {
	from, to   driver.Conn
	life       string // of this try: tokens of another are not known to it
	source     string // names what is moved, in every try
	migrations []migration
	tables     []*movedTable
	done       map[string]bool // partitions that are there, as "table partition"
	there      bool            // all of it, from the beginning
	moved      Moved
	progress   func(Moved)
}

// read finds what there is to move. Of a cluster one replica is read, which must have
// what the others took in.
func (m *move) read(ctx context.Context) error {
	if err := migrateClickHouse(ctx, m.from, m.migrations); err != nil {
		return err
	}
	names := m.names(createTable)
	if err := SyncReplicas(ctx, m.from, names...); err != nil {
		return err
	}
	for _, name := range names {
		t, err := readMovedTable(ctx, m.from, name)
		if err != nil {
			return err
		}
		if name == "clicks" {
			m.source = t.uuid
		}
		m.tables = append(m.tables, t)
		for _, p := range t.partitions {
			m.moved.Of += p.rows
		}
	}
	return nil
}

// names are those that the migrations' statements of a form make.
func (m *move) names(form interface{ FindStringSubmatch(string) []string }) []string {
	var names []string
	for _, migration := range m.migrations {
		for _, statement := range migration.statements {
			if found := form.FindStringSubmatch(leadingComments.ReplaceAllString(statement, "")); found != nil {
				names = append(names, found[1])
			}
		}
	}
	return names
}

// claim makes the target this move's, unless it is somebody else's.
func (m *move) claim(ctx context.Context) error {
	begun, err := tableExists(ctx, m.to, movingTable)
	if err != nil {
		return err
	}
	if begun {
		return m.resume(ctx)
	}
	for _, t := range m.tables {
		there, err := tableExists(ctx, m.to, t.name)
		if err != nil {
			return err
		}
		var rows uint64
		if there {
			if err := m.to.QueryRow(ctx, "SELECT count() FROM "+t.name).Scan(&rows); err != nil {
				return fmt.Errorf("look into the target's %s: %w", t.name, err)
			}
		}
		if rows > 0 {
			if differences, err := m.compare(ctx); err == nil && len(differences) == 0 {
				m.there = true // it was killed behind its end
				return nil
			}
			return fmt.Errorf("the target holds other data: %d rows of %s; name an empty database, or empty this one (DROP DATABASE) if nobody needs it", rows, t.name)
		}
	}
	if err := m.to.Exec(ctx, createMovingTable); err != nil {
		return fmt.Errorf("begin the move: %w", err)
	}
	return m.note(ctx, "")
}

// resume reads how far an earlier try got.
func (m *move) resume(ctx context.Context) error {
	rows, err := m.to.Query(ctx, "SELECT source, name FROM "+movingTable)
	if err != nil {
		return fmt.Errorf("read how far the move got: %w", err)
	}
	defer rows.Close()
	noted := false
	for rows.Next() {
		var source, name string
		if err := rows.Scan(&source, &name); err != nil {
			return fmt.Errorf("read how far the move got: %w", err)
		}
		if source != m.source {
			return errors.New("another ClickHouse is being moved into the target: finish that move, or name another database")
		}
		noted, m.done[name] = true, true
	}
	if err := rows.Err(); err != nil || noted {
		return err
	}
	return m.note(ctx, "") // it ended before it said whose it is
}

func (m *move) note(ctx context.Context, name string) error {
	err := m.to.Exec(ctx, "INSERT INTO "+movingTable+" (source, name) SELECT {source:String}, {name:String}",
		clickhouse.Named("source", m.source), clickhouse.Named("name", name))
	if err != nil {
		return fmt.Errorf("note how far the move got: %w", err)
	}
	m.done[name] = true
	return nil
}

// prepare makes the target's tables, without the views: what they would make is copied.
func (m *move) prepare(ctx context.Context) error {
	views := m.names(createView)
	for _, view := range views {
		if err := m.to.Exec(ctx, "DROP VIEW IF EXISTS "+view); err != nil {
			return fmt.Errorf("prepare the target: %w", err)
		}
	}
	for _, migration := range m.migrations {
		for i, statement := range migration.statements {
			if createView.MatchString(leadingComments.ReplaceAllString(statement, "")) {
				continue
			}
			if err := m.to.Exec(ctx, statement); err != nil {
				return fmt.Errorf("prepare the target: migration %s, statement %d: %w", migration.name, i+1, err)
			}
		}
	}
	return nil
}

// finish makes the views, says which migrations the target has, and gives it free.
func (m *move) finish(ctx context.Context) error {
	there, err := tableExists(ctx, m.to, "schema_migrations")
	if err != nil {
		return err
	}
	if !there {
		if err := m.to.Exec(ctx, migrationTable); err != nil {
			return fmt.Errorf("finish the move: %w", err)
		}
	}
	applied, err := appliedMigrations(ctx, m.to)
	if err != nil {
		return err
	}
	if err := checkApplied(m.migrations, applied); err != nil {
		return err
	}
	for _, migration := range m.migrations {
		for _, statement := range migration.statements { // those of the views; the others find what they make
			if err := m.to.Exec(ctx, statement); err != nil {
				return fmt.Errorf("finish the move: %w", err)
			}
		}
		if _, recorded := applied[migration.version]; recorded {
			continue
		}
		if err := recordMigration(ctx, m.to, migration); err != nil {
			return err
		}
	}
	if err := m.to.Exec(ctx, "DROP TABLE IF EXISTS "+movingTable+" SYNC"); err != nil {
		return fmt.Errorf("finish the move: %w", err)
	}
	return nil
}

func (m *move) copyAll(ctx context.Context) error {
	for _, t := range m.tables {
		for _, p := range t.partitions {
			before := m.moved.Rows
			if name := t.name + " " + p.id; !m.done[name] {
				if err := m.copyPartition(ctx, t, p); err != nil {
					return fmt.Errorf("move %s, partition %s: %w; what is there stays: run the same command again", t.name, p.id, err)
				}
				if err := m.note(ctx, name); err != nil {
					return err
				}
			}
			m.moved.Rows = before + p.rows
		}
	}
	return SyncReplicas(ctx, m.to, m.names(createTable)...) // whichever is compared
}

// copyPartition copies the rows of a partition, dropping what an earlier try left of it.
func (m *move) copyPartition(ctx context.Context, t *movedTable, p movedPartition) error {
	if err := m.to.Exec(ctx, "ALTER TABLE "+t.name+" DROP PARTITION ID '"+p.id+"'"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, moveQueryLimit)
	defer cancel()
	reading := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "max_block_size": 16384}))
	rows, err := m.from.Query(reading, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.name+t.where(p))
	if err != nil {
		return err
	}
	defer rows.Close()
	chunk := newRowChunk(rows.ColumnTypes())
	for n := 0; ; n++ {
		more, err := chunk.fill(rows, moveChunk)
		if err != nil {
			return err
		}
		if chunk.rows > 0 {
			if err := m.insert(ctx, t, chunk, fmt.Sprintf("move %s %s %s %d", m.life, t.name, p.id, n)); err != nil {
				return err
			}
			m.moved.Table, m.moved.Partition = t.name, p.id
			m.moved.Rows += uint64(chunk.rows)
			m.progress(m.moved)
		}
		if !more {
			return nil
		}
	}
}

// insert sends a chunk until it is stored. Its token makes that once, where the table
// remembers any.
func (m *move) insert(ctx context.Context, t *movedTable, chunk *rowChunk, token string) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(InsertSettings(token)))
	for try := 1; ; try++ {
		err := chunk.insert(ctx, m.to, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+")")
		if err == nil || ctx.Err() != nil || try == moveTries || !t.remembersTokens {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * movePause):
		}
	}
}

// compare adds both up, by table, partition and advertiser.
func (m *move) compare(ctx context.Context) ([]Difference, error) {
	var differences []Difference
	for _, t := range m.tables {
		here, err := t.totals(ctx, m.from)
		if err != nil {
			return nil, err
		}
		there, err := t.totals(ctx, m.to)
		if err != nil {
			return nil, err
		}
		for key := range there {
			if _, known := here[key]; !known {
				here[key] = "nothing"
			}
		}
		for key, total := range here {
			other, known := there[key]
			if !known {
				other = "nothing"
			}
			if other != total {
				differences = append(differences, Difference{t.name, key.partition, key.advertiser, total, other})
			}
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int { return strings.Compare(a.String(), b.String()) })
	return differences, nil
}
