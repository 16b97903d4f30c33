package schematest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/engine"
)

// clusterVariable makes Start and Empty return clients of a cluster.
const clusterVariable = "TRIBUTARY_SCHEMATEST_CLUSTER"

// clusterName is the cluster of two shards that the engine is configured with.
const clusterName = "two"

// remoteServers makes a cluster of the engine alone: without a network, each of its two
// shards is the engine itself, and a filter by the number of the shard stands for their disks.
const remoteServers = `<tcp_port>9000</tcp_port><remote_servers><two>
<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
</two></remote_servers>`

// shardedTables are divided between the shards.
var shardedTables = [...]string{
	"clicks", "clicks_15m", "campaign_clicks_15m", "conversions", "actions", "landings", "shared_orders", "posts", "click_changes",
}

// OnCluster runs the test binary's other tests again, with Start and Empty giving them
// a cluster of two shards: Distributed tables, inserts and subqueries are ClickHouse's
// own. What needs a Keeper is not there: tables are not Replicated, and statements run
// without ON CLUSTER.
func OnCluster(t *testing.T, tests string) {
	t.Helper()
	if os.Getenv(clusterVariable) != "" {
		return // it is this run
	}
	command := exec.Command(os.Args[0], "-test.run", tests, "-test.timeout", "5m")
	command.Env = append(os.Environ(), clusterVariable+"=1")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("on a cluster of two shards: %v\n%s", err, out)
	}
}

// Cluster returns a client of a fresh database on two shards, with all migrations applied.
func Cluster(t testing.TB) driver.Conn {
	t.Helper()
	conn := EmptyCluster(t)
	if err := schema.MigrateClickHouse(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// EmptyCluster returns a client of a fresh database on two shards, without tables.
func EmptyCluster(t testing.TB) driver.Conn {
	t.Helper()
	return Replicas(t, func(string) {})
}

// Replicas is EmptyCluster with replicas that may be behind: caughtUp is told each table
// of the servers whose replicas are waited for, before whoever waits goes on.
func Replicas(t testing.TB, caughtUp func(table string)) driver.Conn {
	t.Helper()
	return openCluster(t, Engine(t), fresh(t), caughtUp)
}

func openCluster(t testing.TB, e *engine.Engine, database string, caughtUp func(table string)) driver.Conn {
	t.Helper()
	var filters []string
	for _, table := range shardedTables {
		filters = append(filters, fmt.Sprintf("'%s.%s_local':'shardNum() IN (0, cityHash64(advertiser_id) %% 2 + 1)'", database, table))
	}
	divided := schema.ClusterSettings()
	divided["additional_table_filters"] = clickhouse.CustomSetting{Value: "{" + strings.Join(filters, ",") + "}"}
	connect := func(settings clickhouse.Settings) driver.Conn {
		conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{Engine: e, Database: database, Settings: settings})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return schema.InCluster(withoutKeeper{connect(divided), connect(schema.ClusterSettings()), caughtUp}, clusterName)
}

// withoutKeeper runs the statements of a cluster where there is no Keeper.
type withoutKeeper struct {
	driver.Conn
	whole    driver.Conn // to the shards as they are, not divided by a filter
	caughtUp func(table string)
}

var (
	onCluster  = regexp.MustCompile(` ON CLUSTER '[^']*'`)
	replicated = regexp.MustCompile(`Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?`)
	window     = regexp.MustCompile(`\breplicated_deduplication_window = `)
)

// Exec implements driver.Conn. Tables that are whole on every server remember tokens as
// one server does; those of shards cannot, which are one table here.
func (c withoutKeeper) Exec(ctx context.Context, query string, args ...any) error {
	query = onCluster.ReplaceAllString(query, "")
	if table, waits := strings.CutPrefix(query, "SYSTEM SYNC REPLICA "); waits {
		c.caughtUp(table)
		return nil
	}
	if strings.Contains(query, "/everywhere/") {
		query = window.ReplaceAllString(query, "non_${0}")
	}
	query = replicated.ReplaceAllString(query, "$1(")
	if strings.Contains(query, "ALTER TABLE ") {
		return c.whole.Exec(ctx, query, args...)
	}
	return c.Conn.Exec(ctx, query, args...)
}
