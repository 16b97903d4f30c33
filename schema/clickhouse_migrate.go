package schema

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const clickhouseMigrationDir = "clickhouse/migrations"

// migrationTable records what was applied. Two processes may record the same
// migration; the queries fold that.
const migrationTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
	version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`

// migration is one file of migrations/, NNNN_name.sql.
type migration struct {
	version    uint32
	name       string // of the file
	checksum   string // SHA-256 of the file, hex
	statements []string
}

// ErrOtherVersion is a database that another version of the program has migrated
// further, or otherwise.
var ErrOtherVersion = errors.New("ClickHouse's tables are another version's")

// MigrateClickHouse brings the tables of conn's database up to date. It
// refuses a database whose migrations are not this program's: one changed
// since it was applied, or one this program does not know.
func MigrateClickHouse(ctx context.Context, conn driver.Conn) error {
	migrations, err := loadMigrations(clickhouseFiles, clickhouseMigrationDir)
	if err != nil {
		return err
	}
	return migrateClickHouse(ctx, conn, migrations)
}

func migrateClickHouse(ctx context.Context, conn driver.Conn, migrations []migration) error {
	applied, err := readApplied(ctx, conn, migrations)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		if _, done := applied[m.version]; done {
			continue
		}
		if err := applyMigration(ctx, conn, m); err != nil {
			return err
		}
	}
	return nil
}

// readApplied reads which migrations were applied, and refuses those of another program.
// What is there is not made again: only who migrates needs the right to.
func readApplied(ctx context.Context, conn driver.Conn, migrations []migration) (map[uint32]appliedMigration, error) {
	there, err := tableExists(ctx, conn, "schema_migrations")
	if err != nil {
		return nil, err
	}
	if moving, err := tableExists(ctx, conn, movingTable); err != nil {
		return nil, err
	} else if moving {
		return nil, fmt.Errorf("%w: 'tributary migrate' has not finished moving data into this database: run it again to its end", ErrOtherVersion)
	}
	if !there {
		if err := conn.Exec(ctx, migrationTable); err != nil {
			return nil, fmt.Errorf("make ClickHouse's table of migrations: %w", err)
		}
	}
	applied, err := appliedMigrations(ctx, conn)
	if err != nil {
		return nil, err
	}
	return applied, checkApplied(migrations, applied)
}

func tableExists(ctx context.Context, conn driver.Conn, table string) (bool, error) {
	var n uint64
	if err := conn.QueryRow(ctx, ClickHouseQuery("table_exists"), clickhouse.Named("table", table)).Scan(&n); err != nil {
		return false, fmt.Errorf("ask ClickHouse for its tables: %w", err)
	}
	return n > 0, nil
}

// applyMigration runs a migration's statements, each of which is harmless when
// repeated, and then records it: a crash in between runs it again.
func applyMigration(ctx context.Context, conn driver.Conn, m migration) error {
	for i, statement := range m.statements {
		if err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("ClickHouse migration %s, statement %d: %w", m.name, i+1, err)
		}
	}
	return recordMigration(ctx, conn, m)
}

func recordMigration(ctx context.Context, conn driver.Conn, m migration) error {
	err := conn.Exec(ctx, "INSERT INTO schema_migrations (version, name, checksum, applied_at) SELECT {version:UInt32}, {name:String}, {checksum:String}, now64(3)",
		clickhouse.Named("version", m.version), clickhouse.Named("name", m.name), clickhouse.Named("checksum", m.checksum))
	if err != nil {
		return fmt.Errorf("record ClickHouse migration %s: %w", m.name, err)
	}
	return nil
}

type appliedMigration struct {
	name      string
	checksums []string // more than one if two programs raced with different files
}

func appliedMigrations(ctx context.Context, conn driver.Conn) (map[uint32]appliedMigration, error) {
	rows, err := conn.Query(ctx, ClickHouseQuery("migrations_applied"))
	if err != nil {
		return nil, fmt.Errorf("read ClickHouse's migrations: %w", err)
	}
	defer rows.Close()
	applied := map[uint32]appliedMigration{}
	for rows.Next() {
		var version uint32
		var a appliedMigration
		if err := rows.Scan(&version, &a.name, &a.checksums); err != nil {
			return nil, fmt.Errorf("read ClickHouse's migrations: %w", err)
		}
		applied[version] = a
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read ClickHouse's migrations: %w", err)
	}
	return applied, nil
}

func checkApplied(migrations []migration, applied map[uint32]appliedMigration) error {
	for version, a := range applied {
		i := slices.IndexFunc(migrations, func(m migration) bool { return m.version == version })
		if i < 0 {
			return fmt.Errorf("%w: it has migration %s, which this program does not know: it was written by a newer one; install that, or use another database", ErrOtherVersion, a.name)
		}
		if m := migrations[i]; len(a.checksums) != 1 || a.checksums[0] != m.checksum {
			return fmt.Errorf("%w: migration %s was changed after it was applied as %s: restore the file and put the change in a new migration", ErrOtherVersion, m.name, a.name)
		}
	}
	return nil
}

func loadMigrations(files fs.FS, dir string) ([]migration, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var migrations []migration
	for _, entry := range entries { // sorted by name, so by version
		text, err := fs.ReadFile(files, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		digits, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || len(digits) != 4 || int(version) != len(migrations)+1 {
			return nil, fmt.Errorf("migration %s: the files are numbered 0001_… without gaps, so this is not number %d", entry.Name(), len(migrations)+1)
		}
		sum := sha256.Sum256(text)
		migrations = append(migrations, migration{
			version: uint32(version), name: entry.Name(),
			checksum: hex.EncodeToString(sum[:]), statements: splitStatements(string(text)),
		})
	}
	return migrations, nil
}

// splitStatements splits at semicolons that end a line, which is how the
// migrations are written.
func splitStatements(text string) []string {
	var statements []string
	for part := range strings.SplitSeq(text+"\n", ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			statements = append(statements, part)
		}
	}
	return statements
}

// ApplyRetention lets ClickHouse drop clicks older than the given number of
// months, month by month; zero keeps them for ever. Rollups are kept. It
// changes nothing when the table already has that retention.
func ApplyRetention(ctx context.Context, conn driver.Conn, months int) error {
	if months < 0 || months > 1200 {
		return fmt.Errorf("retention of %d months: give 0 (for ever) to 1200", months)
	}
	var current string
	if err := conn.QueryRow(ctx, ClickHouseQuery("table_ttl"), clickhouse.Named("table", StoredTable(conn, "clicks"))).Scan(&current); err != nil {
		return fmt.Errorf("read the retention of clicks: %w", err)
	}
	var wanted, change string
	if months > 0 {
		wanted = fmt.Sprintf("toDateTime(time) + toIntervalMonth(%d)", months)
		change = "ALTER TABLE clicks MODIFY TTL " + wanted
	} else {
		change = "ALTER TABLE clicks REMOVE TTL"
	}
	if current == wanted {
		return nil
	}
	if err := conn.Exec(ctx, change); err != nil {
		return fmt.Errorf("set the retention of clicks to %d months: %w", months, err)
	}
	return nil
}
