package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// A cluster says how the statements that are written for one server are run on the
// servers of a cluster. What belongs to an advertiser lies on one shard, chosen by its
// id: a table of rows is "…_local" on the shards, Replicated within each, and has its
// own name as a Distributed table for readers and writers. Joins and IN find what they
// need on the shard they are at. Views make their rows where rows arrive.
//
// A few tables are not divided but whole on every server, for an insert into them must
// be there whole or not at all: they say how far something reaches.
type cluster struct{ name string }

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_.-]*$`)

// wholeTables are whole on every server.
var wholeTables = [...]string{"schema_migrations", "entries", "action_sums", movingTable}

// localSuffix is of the tables on the shards.
const localSuffix = "_local"

// shardingKey keeps what belongs to an advertiser together.
const shardingKey = "cityHash64(advertiser_id)"

// ClusterSettings are the settings that every connection to a cluster begins with,
// unless its DSN has others.
func ClusterSettings() clickhouse.Settings {
	return clickhouse.Settings{
		"distributed_foreground_insert":      1,       // an insert is answered once every shard has its rows
		"distributed_product_mode":           "local", // the tables of a subquery are those of its shard
		"optimize_skip_unused_shards":        1,       // who asks for an advertiser asks one shard
		"parallel_distributed_insert_select": 0,
		"load_balancing":                     "in_order", // what was just written is read where it was
		"allow_nondeterministic_mutations":   1,          // subqueries of click_changes, which all replicas have by then
		"distributed_ddl_task_timeout":       600,
	}
}

// clusterConn is a connection to a cluster: it takes the statements of one server.
type clusterConn struct {
	driver.Conn
	cluster cluster
}

// InCluster makes a connection to a server of a cluster take the statements of one server.
func InCluster(conn driver.Conn, name string) driver.Conn {
	return &clusterConn{Conn: conn, cluster: cluster{name}}
}

// Exec implements driver.Conn.
func (c *clusterConn) Exec(ctx context.Context, query string, args ...any) error {
	statements, err := c.cluster.statements(query)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := c.Conn.Exec(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// OnCluster is the name of the cluster that conn is of, empty for one server.
func OnCluster(conn driver.Conn) string {
	if c, clustered := conn.(*clusterConn); clustered {
		return c.cluster.name
	}
	return ""
}

// StoredTable is the table of conn's servers that holds a table's rows.
func StoredTable(conn driver.Conn, table string) string {
	if OnCluster(conn) == "" || slices.Contains(wholeTables[:], table) {
		return table
	}
	return table + localSuffix
}

// SyncReplicas returns once every replica of a cluster has what was inserted into the
// tables before; at once with one server. The rollups of a table are tables of their own:
// whoever reads them names them. It fails while a replica is away.
func SyncReplicas(ctx context.Context, conn driver.Conn, tables ...string) error {
	name := OnCluster(conn)
	if name == "" {
		return nil
	}
	for _, table := range tables {
		if err := conn.Exec(ctx, fmt.Sprintf("SYSTEM SYNC REPLICA ON CLUSTER '%s' %s", name, StoredTable(conn, table))); err != nil {
			return fmt.Errorf("wait until every ClickHouse replica has what was inserted into %s: %w", table, err)
		}
	}
	return nil
}

// ReplicasBehind is how many tables lack rows that another replica has, of the replicas
// that answer for a cluster; none with one server.
func ReplicasBehind(ctx context.Context, conn driver.Conn) (tables uint64, err error) {
	name := OnCluster(conn)
	if name == "" {
		return 0, nil
	}
	if err := conn.QueryRow(ctx, ClickHouseQuery("replicas_behind"), clickhouse.Named("cluster", name)).Scan(&tables); err != nil {
		return 0, fmt.Errorf("ask ClickHouse's replicas what they lack: %w", err)
	}
	return tables, nil
}

// The statements there are, each behind its comment lines.
var (
	leadingComments = regexp.MustCompile(`^(?:\s*--[^\n]*\n)*\s*`)
	createTable     = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)\s*`)
	createView      = regexp.MustCompile(`^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+) AS\b`)
	changeTable     = regexp.MustCompile("^(ALTER TABLE|TRUNCATE TABLE|OPTIMIZE TABLE|DROP TABLE IF EXISTS) `?(\\w+)`?")
	changeColumn    = regexp.MustCompile(`^\s*(?:ADD|DROP|MODIFY|RENAME|COMMENT) COLUMN\b`)
	dropView        = regexp.MustCompile(`^DROP VIEW IF EXISTS (\w+)`)
	tableEngine     = regexp.MustCompile(`\)\s*ENGINE = (\w*MergeTree)`)
	fromTable       = regexp.MustCompile(`\b(FROM|JOIN) (\w+)`)
	oneServerWindow = regexp.MustCompile(`\bnon_replicated_deduplication_window = (\d+)`)
)

// statements are what one server's statement is on the cluster. Those that read or insert
// are what they were.
func (c cluster) statements(one string) ([]string, error) {
	comments := leadingComments.FindString(one)
	body := one[len(comments):]
	on := " ON CLUSTER '" + c.name + "'"
	if m := createTable.FindStringSubmatch(body); m != nil {
		return c.create(comments, m[1], body[len(m[0]):], on)
	}
	if m := createView.FindStringSubmatch(body); m != nil {
		selecting := c.locally(body[len(m[0]):])
		return []string{comments + "CREATE MATERIALIZED VIEW IF NOT EXISTS " + m[1] + on + " TO " + c.stored(m[2]) + " AS" + selecting}, nil
	}
	if m := dropView.FindStringSubmatch(body); m != nil {
		return []string{comments + "DROP VIEW IF EXISTS " + m[1] + on + body[len(m[0]):]}, nil
	}
	if m := changeTable.FindStringSubmatch(body); m != nil {
		rest := body[len(m[0]):]
		statements := []string{comments + m[1] + " " + c.stored(m[2]) + on + c.locally(rest)}
		if c.stored(m[2]) != m[2] && (changeColumn.MatchString(rest) || strings.HasPrefix(m[1], "DROP")) {
			statements = append(statements, m[1]+" "+m[2]+on+rest)
		}
		return statements, nil
	}
	switch verb, _, _ := strings.Cut(strings.TrimSpace(body), " "); strings.ToUpper(strings.TrimSpace(verb)) {
	case "CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "ATTACH", "DETACH", "DELETE", "UPDATE":
		return nil, fmt.Errorf("a statement is in no form that is known on a cluster: %.80s", strings.TrimSpace(body))
	}
	return []string{one}, nil
}

// create makes a Replicated table and, unless it is whole everywhere, a Distributed one.
func (c cluster) create(comments, table, rest, on string) ([]string, error) {
	m := tableEngine.FindStringSubmatchIndex(rest)
	if m == nil {
		return nil, errors.New("a table of a cluster is a MergeTree: " + table)
	}
	columns, engine, settings := rest[:m[2]], rest[m[2]:m[3]], rest[m[3]:]
	path, replica := "/clickhouse/tables/{shard}/{database}/{table}", "{replica}"
	if c.stored(table) == table {
		path, replica = "/clickhouse/tables/everywhere/{database}/{table}", "{shard}-{replica}"
	}
	arguments := "('" + path + "', '" + replica + "'"
	if strings.HasPrefix(settings, "(") {
		arguments, settings = arguments+", ", settings[1:]
	} else {
		arguments += ")"
	}
	local := comments + "CREATE TABLE IF NOT EXISTS " + c.stored(table) + on + "\n" + columns + "Replicated" + engine + arguments + windows(settings)
	if c.stored(table) == table {
		return []string{local}, nil
	}
	return []string{local, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed('%s', currentDatabase(), %s, %s)",
		table, on, c.stored(table), c.name, c.stored(table), shardingKey)}, nil
}

// windows gives a Replicated table the tokens that the table of one server remembers, for
// ever in time: it would forget them in an hour otherwise. A table that remembers none
// must not take equal blocks for the same.
func windows(settings string) string {
	const forEver = "replicated_deduplication_window_seconds = 315360000"
	if oneServerWindow.MatchString(settings) {
		return oneServerWindow.ReplaceAllString(settings, "replicated_deduplication_window = $1,\n    "+forEver)
	}
	if strings.Contains(settings, "SETTINGS") {
		return settings + ",\n    replicated_deduplication_window = 0"
	}
	return settings + "\nSETTINGS replicated_deduplication_window = 0"
}

// locally names the tables of the shard itself in a statement that runs there.
func (c cluster) locally(text string) string {
	return fromTable.ReplaceAllStringFunc(text, func(found string) string {
		keyword, table, _ := strings.Cut(found, " ")
		return keyword + " " + c.stored(table)
	})
}

func (c cluster) stored(table string) string {
	return StoredTable(&clusterConn{cluster: c}, table)
}
