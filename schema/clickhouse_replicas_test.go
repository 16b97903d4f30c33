package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
)

// clicksOfOldServers are clicks as far as ClickHouse 18.16 has types for them, which has
// neither DateTime64 nor codecs.
const clicksOfOldServers = `-- Every hit.
CREATE TABLE IF NOT EXISTS clicks
(
    click_id      String,
    time          DateTime,
    advertiser_id LowCardinality(String),
    verdict       LowCardinality(String),
    reasons       Array(String),
    node          LowCardinality(String),
    seq           UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (advertiser_id, time)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000`

// replication is the configuration of a replica of the one shard there is. A modern server
// knows the macros database and table by itself.
const replication = `<interserver_http_host>127.0.0.1</interserver_http_host><interserver_http_port>%[1]s</interserver_http_port>
<zookeeper><node><host>127.0.0.1</host><port>%[2]s</port></node><session_timeout_ms>4000</session_timeout_ms></zookeeper>
<macros><shard>1</shard><replica>r%[3]d</replica><database>default</database><table>clicks_local</table></macros>
<distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>
<remote_servers><main><shard><internal_replication>true</internal_replication>%[4]s</shard></main></remote_servers>`

// replicas are two servers of a cluster named main that hold the same rows.
type replicas struct {
	t       *testing.T
	servers [2]*server
	alone   [2]driver.Conn // to each
	conn    driver.Conn    // to the cluster, as the product has it
}

func startReplicas(t *testing.T) *replicas {
	t.Helper()
	keeper := startKeeper(t)
	r := &replicas{t: t}
	addresses := [2]string{freeAddress(t), freeAddress(t)}
	var listed string
	for _, address := range addresses {
		listed += "<replica><host>127.0.0.1</host><port>" + port(address) + "</port></replica>"
	}
	for i, address := range addresses {
		more := fmt.Sprintf(replication, port(freeAddress(t)), port(keeper.address), i+1, listed)
		r.servers[i] = startServer(t, t.TempDir(), address, more)
		r.alone[i] = r.servers[i].open("clickhouse://ann:s3cret@" + address + "/default")
	}
	var err error
	if r.conn, err = schema.OpenOldCluster("clickhouse://ann:s3cret@"+strings.Join(addresses[:], ",")+"/default?dial_timeout=4s", "main"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.Close() })
	for i, s := range r.servers {
		s.answers(r.alone[i])
	}
	// A server of this age dies of a statement ON CLUSTER that comes before it watches the
	// list of them.
	keeper.says("mntr", "zk_watch_count\t2\n")
	return r
}

// insert sends clicks as one block until somebody has taken it, as a shipper does.
func (r *replicas) insert(conn driver.Conn, from, rows int) {
	r.t.Helper()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	r.eventually("an insert", func() error {
		batch, err := conn.PrepareBatch(testContext(r.t), "INSERT INTO clicks (click_id, time, advertiser_id, verdict, reasons, node, seq)")
		if err != nil {
			return err
		}
		defer batch.Close()
		for i := from; i < from+rows; i++ {
			if err := batch.Append(fmt.Sprint("c", i), at, fmt.Sprint("adv_", i%7), "bot", []string{"crawler"}, "n1", uint64(i)); err != nil {
				r.t.Fatal(err)
			}
		}
		return batch.Send()
	})
}

// everywhere runs a statement of one server on the cluster.
func (r *replicas) everywhere(statement string) {
	r.t.Helper()
	r.eventually("a statement", func() error { return r.conn.Exec(testContext(r.t), statement) })
}

// has waits until servers hold as many clicks, their own and as the cluster answers.
func (r *replicas) has(rows int, servers ...int) {
	r.t.Helper()
	for _, i := range servers {
		r.eventually(fmt.Sprintf("server %d with %d clicks", i+1, rows), func() error {
			var own, all, distinct uint64
			err := r.alone[i].QueryRow(testContext(r.t), "SELECT (SELECT count() FROM clicks_local), count(), uniqExact(seq) FROM clicks").Scan(&own, &all, &distinct)
			if err == nil && (own != uint64(rows) || all != own || distinct != own) {
				err = fmt.Errorf("it has %d, of %d and %d different ones as the cluster answers", own, all, distinct)
			}
			return err
		})
	}
}

func (r *replicas) fetches(server int, begin string) {
	r.t.Helper()
	if err := r.alone[server].Exec(testContext(r.t), "SYSTEM "+begin+" FETCHES"); err != nil {
		r.t.Fatal(err)
	}
}

// behind waits until a server says of how many of its tables another one has more. A
// server of this age takes no parameters.
func (r *replicas) behind(server int, tables uint64) {
	r.t.Helper()
	query := strings.ReplaceAll(schema.ClickHouseQuery("replicas_behind"), "{cluster:String}", "'main'")
	r.eventually(fmt.Sprintf("server %d behind with %d tables", server+1, tables), func() error {
		var n uint64
		err := r.alone[server].QueryRow(testContext(r.t), query).Scan(&n)
		if err == nil && n != tables {
			err = fmt.Errorf("it is with %d", n)
		}
		return err
	})
}

// eventually tries until something works, for as long as a slow machine may need.
func (r *replicas) eventually(what string, try func() error) {
	r.t.Helper()
	began, said := time.Now(), ""
	for {
		err := try()
		if err == nil {
			r.t.Logf("%s after %s", what, time.Since(began).Round(time.Millisecond))
			return
		}
		if err.Error() != said {
			said = err.Error()
			r.t.Logf("%s: %v", what, err)
		}
		if time.Since(began) > time.Minute {
			r.t.Fatalf("%s: %v\n1: %s\n2: %s", what, err, r.servers[0].process.said(), r.servers[1].process.said())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestReplicas has two servers and a Keeper run the statements that are written for a
// cluster, and one server die and come back.
//
// They are of 2018. They know no insert_deduplication_token, by which rows and rollups are
// told from a repetition: a block is known by its own checksum here, in the same lists of
// the Keeper's. They know hardly any of the settings of a cluster, no SYSTEM SYNC REPLICA
// ON CLUSTER, no new column of a Distributed table ON CLUSTER, and no DateTime64: the table
// is a reduced one, without views.
func TestReplicas(t *testing.T) {
	t.Parallel()
	r := startReplicas(t)
	r.everywhere(clicksOfOldServers)
	r.insert(r.conn, 0, 1000)
	r.insert(r.conn, 0, 1000)
	r.has(1000, 0, 1)

	r.fetches(1, "STOP")
	r.insert(r.alone[0], 1000, 500)
	r.behind(1, 1)
	r.has(1000, 1)
	r.fetches(1, "START")
	r.insert(r.alone[0], 1500, 500) // which wakes it
	r.behind(1, 0)
	r.has(2000, 0, 1)

	r.servers[0].stop()
	r.insert(r.conn, 0, 1000) // whether it was stored is not known to whoever was cut off
	r.has(2000, 1)
	r.insert(r.conn, 2000, 500)
	r.has(2500, 1)
	// A replica that comes back while its last life is still counted as there waits for
	// 10 seconds before it asks again.
	r.eventually("the Keeper misses server 1", func() error {
		var active uint64
		err := r.alone[1].QueryRow(testContext(t), "SELECT toUInt64(active_replicas) FROM system.replicas").Scan(&active)
		if err == nil && active != 1 {
			err = fmt.Errorf("%d are active", active)
		}
		return err
	})

	r.servers[0].start()
	r.has(2500, 0, 1)
	r.insert(r.alone[0], 2000, 500) // what another took, while it was away
	r.has(2500, 0, 1)

	r.everywhere("ALTER TABLE clicks UPDATE verdict = 'valid' WHERE advertiser_id = 'adv_1'")
	for i, conn := range r.alone {
		r.eventually(fmt.Sprintf("server %d with changed rows", i+1), func() error {
			var changed, others uint64
			err := conn.QueryRow(testContext(t), "SELECT countIf(verdict = 'valid' AND advertiser_id = 'adv_1'), countIf(verdict = 'bot' AND advertiser_id != 'adv_1') FROM clicks").Scan(&changed, &others)
			if err == nil && (changed != 357 || others != 2143) {
				err = fmt.Errorf("%d are changed, %d are not", changed, others)
			}
			return err
		})
	}
	r.everywhere("ALTER TABLE clicks DROP PARTITION ID '202611'")
	r.has(0, 0, 1)
	r.everywhere("DROP TABLE IF EXISTS clicks")
	for i, conn := range r.alone {
		var left uint64
		if err := conn.QueryRow(testContext(t), "SELECT count() FROM system.tables WHERE database = 'default'").Scan(&left); err != nil || left > 0 {
			t.Errorf("server %d: %d tables are left: %v", i+1, left, err)
		}
	}
}
