package schema_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

// A door is an address of the tests' ClickHouse that can be shut, as by a host that dies.
type door struct {
	net.Listener
	mu     sync.Mutex
	closed bool
	inside []net.Conn
}

func openDoor(t *testing.T) *door {
	t.Helper()
	listener, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Listener: listener}
	t.Cleanup(d.shut)
	engine := schematest.Engine(t)
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := engine.Dial(context.Background())
			if err != nil {
				from.Close()
				return
			}
			d.enter(from, to)
			go func() { _, _ = io.Copy(to, from) }()
			go func() { _, _ = io.Copy(from, to) }()
		}
	}()
	return d
}

func (d *door) enter(conns ...net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside = append(d.inside, conns...)
	if d.closed {
		d.clear()
	}
}

func (d *door) shut() {
	d.Close() // an error means that it is shut
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.clear()
}

func (d *door) clear() {
	for _, conn := range d.inside {
		conn.Close()
	}
	d.inside = nil
}

// Over HTTP nobody sees that the host of a connection in the pool has died before the
// connection is used. That one use fails as something that passes, and the next is another
// host's.
func TestAHostThatDiesIsAway(t *testing.T) {
	var database string
	here := schematest.Empty(t)
	if err := here.Exec(testContext(t), "CREATE TABLE seen (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	if err := here.QueryRow(testContext(t), "SELECT currentDatabase()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	for name, use := range map[string]func(driver.Conn) error{
		"row": func(conn driver.Conn) error {
			var n uint64
			return conn.QueryRow(testContext(t), "SELECT count() FROM seen").Scan(&n)
		},
		"rows": func(conn driver.Conn) error {
			rows, err := conn.Query(testContext(t), "SELECT n FROM seen")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				continue
			}
			return rows.Err()
		},
		"statement": func(conn driver.Conn) error { return conn.Exec(testContext(t), "INSERT INTO seen SELECT 1") },
		"insert": func(conn driver.Conn) error {
			batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO seen (n)")
			if err != nil {
				return err
			}
			defer batch.Close()
			if err := batch.Append(uint64(1)); err != nil {
				t.Fatal(err)
			}
			return batch.Send()
		},
	} {
		first, second := openDoor(t), openDoor(t)
		conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: "http://" + first.Addr().String() + "," + second.Addr().String() + "/" + database + "?compress=none", Cluster: "two"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := use(conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		first.shut()
		for range 3 { // the connection comes back to the pool a moment after its use
			if err = use(conn); err != nil && !schema.ClickHouseAway(err) {
				t.Errorf("%s, with the host that died: %v", name, err)
			}
		}
		if err != nil {
			t.Errorf("%s, with the other host: %v", name, err)
		}
	}
}
