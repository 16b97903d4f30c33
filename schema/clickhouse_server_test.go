package schema_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
)

// A server is a ClickHouse server as Debian has it. It is of 2018, and too old for our
// tables; it proves what its age does not change: addresses, logins, TLS and how columns
// travel in the native protocol, and what a Keeper and two replicas make of our statements.
type server struct {
	t       *testing.T
	dir     string
	plain   string   // its address
	process *process // nil: stopped
}

const serverConfig = `<yandex>
<logger><level>warning</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><tcp_port>%[2]s</tcp_port>
<path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path><user_files_path>%[1]s/files/</user_files_path><format_schema_path>%[1]s/formats/</format_schema_path>
<users_config>%[1]s/server.xml</users_config><mark_cache_size>1048576</mark_cache_size><timezone>UTC</timezone>
<default_profile>default</default_profile><default_database>default</default_database>
<profiles><default><allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type></default></profiles><quotas><default></default></quotas>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
<ann><password>s3cret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></ann></users>
%[3]s
</yandex>`

// startServer starts a server at an address, with more configuration than all have.
func startServer(t *testing.T, dir, address, more string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, plain: address}
	if err := os.WriteFile(filepath.Join(dir, "server.xml"), fmt.Appendf(nil, serverConfig, dir, port(address), more), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

// safely is the configuration of a server that also answers over TLS.
func safely(dir, address string) string {
	return fmt.Sprintf(`<tcp_port_secure>%[2]s</tcp_port_secure>
<openSSL><server><certificateFile>%[1]s/cert.pem</certificateFile><privateKeyFile>%[1]s/key.pem</privateKeyFile><verificationMode>none</verificationMode></server></openSSL>`,
		dir, port(address))
}

func (s *server) start() {
	s.t.Helper()
	path := "/usr/sbin/clickhouse-server" // not in everybody's PATH
	if found, err := exec.LookPath("clickhouse-server"); err == nil {
		path = found
	} else if _, err := os.Stat(path); err != nil {
		s.t.Fatal("clickhouse-server is missing: install it with `make test-deps`")
	}
	s.process = startProcess(s.t, s.dir, path, "--config-file="+filepath.Join(s.dir, "server.xml"))
}

// stop ends the server as a power cut would.
func (s *server) stop() { s.process.kill() }

func (s *server) open(dsn string) driver.Conn {
	s.t.Helper()
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: dsn})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *server) answers(conn driver.Conn) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline) && s.process.runs(); time.Sleep(50 * time.Millisecond) {
		if err = conn.Ping(testContext(s.t)); err == nil {
			return
		}
	}
	s.t.Fatalf("the server does not answer: %v\n%s", err, s.process.said())
}

func TestNativeProtocolOfAServer(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	ca := filepath.Join(dir, "cert.pem")
	certify(t, ca, filepath.Join(dir, "key.pem"))
	s := startServer(t, dir, freeAddress(t), safely(dir, address))
	conn := s.open("clickhouse://ann:s3cret@" + s.plain + "/default")
	s.answers(conn)
	if err := conn.Exec(testContext(t), "CREATE TABLE seen (day Date, n UInt64, name String, tags Array(String), at DateTime) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	insert := func(conn driver.Conn, from, rows int) {
		t.Helper()
		batch, err := conn.PrepareBatch(testContext(t), "INSERT INTO seen (day, n, name, tags, at)")
		if err != nil {
			t.Fatal(err)
		}
		defer batch.Close()
		days, numbers, names, tags, times := make([]time.Time, rows), make([]uint64, rows), make([]string, rows), make([][]string, rows), make([]time.Time, rows)
		for i := range rows {
			days[i], numbers[i], names[i], tags[i], times[i] = at, uint64(from+i), fmt.Sprint("name ", from+i), []string{"a", "b"}[:i%3%2+1], at
		}
		for i, column := range []any{days, numbers, names, tags, times} {
			if err := batch.Column(i).Append(column); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
	}
	has := func(conn driver.Conn, rows uint64) {
		t.Helper()
		var n, sum uint64
		var name string
		var tags []string
		var last time.Time
		if err := conn.QueryRow(testContext(t), "SELECT count(), sum(n), any(name), any(tags), max(at) FROM seen").Scan(&n, &sum, &name, &tags, &last); err != nil {
			t.Fatal(err)
		}
		if n != rows || sum != rows*(rows-1)/2 || !strings.HasPrefix(name, "name ") || len(tags) == 0 || !last.Equal(at) {
			t.Errorf("%d rows with %d, %q, %v, %v", n, sum, name, tags, last)
		}
	}
	insert(conn, 0, 50_000)
	has(conn, 50_000)

	s.stop() // connections of the pool are dead now
	s.start()
	s.answers(conn)
	has(conn, 50_000)

	safe := s.open("clickhouse://ann:s3cret@" + address + "/default?secure=true&ca=" + ca + "&compress=zstd")
	s.answers(safe)
	insert(safe, 50_000, 1000)
	has(safe, 51_000)
	if err := s.open("clickhouse://ann:s3cret@" + address + "/default?secure=true").Ping(testContext(t)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server whose certificate nobody signed: %v", err)
	}
	err := s.open("clickhouse://ann:wr0ng@" + s.plain + "/default").Ping(testContext(t))
	if err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("a wrong password: %v", err)
	}
}

// The first host that answers is used, and one that does not answer uses up its share of
// the time alone.
func TestHostsAreTriedInTurn(t *testing.T) {
	s := startServer(t, t.TempDir(), freeAddress(t), "")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	hosts := []string{"127.0.0.1:1", silent.Addr().String(), s.plain}
	conn, err := schema.OpenClickHouse(schema.ClickHouseOptions{DSN: "clickhouse://ann:s3cret@" + strings.Join(hosts, ",") + "/default?dial_timeout=3s", Cluster: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n uint8
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		// Its age knows none of a cluster's settings: that it says so shows who answered.
		if err = conn.QueryRow(testContext(t), "SELECT 1").Scan(&n); err == nil || strings.Contains(err.Error(), "setting") {
			return
		}
	}
	t.Errorf("nobody answered: %v\n%s", err, s.process.said())
}

// freeAddress is an address that nobody listens at. Its port is below those that systems
// give to outgoing connections: one of them could take it while a server is down.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+random.IntN(20_000))); err == nil {
			defer listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// certify makes a certificate of 127.0.0.1 that signs itself.
func certify(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
