package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func TestDSN(t *testing.T) {
	for _, test := range []struct {
		dsn      string
		hosts    string
		protocol clickhouse.Protocol
		secure   bool
	}{
		{"clickhouse://u:p@h:9000/db", "h:9000", clickhouse.Native, false},
		{"clickhouse://h1:9000,h2:9001/db", "h1:9000 h2:9001", clickhouse.Native, false},
		{"tcp://h1,h2", "h1:9000 h2:9000", clickhouse.Native, false},
		{"clickhouse://h1,h2:9441/db?secure=true", "h1:9440 h2:9441", clickhouse.Native, true},
		{"https://h/db", "h:8443", clickhouse.HTTP, true},
		{"http://h/db", "h:8123", clickhouse.HTTP, false},
		{"clickhouse://[::1]:9000/db", "[::1]:9000", clickhouse.Native, false},
	} {
		o, err := parseDSN(test.dsn)
		if err != nil {
			t.Errorf("%s: %v", test.dsn, err)
			continue
		}
		if got := strings.Join(o.Addr, " "); got != test.hosts || o.Protocol != test.protocol || (o.TLS != nil) != test.secure {
			t.Errorf("%s: %s by %v, TLS %v", test.dsn, got, o.Protocol, o.TLS != nil)
		}
		if o.TLS != nil && o.TLS.InsecureSkipVerify {
			t.Errorf("%s trusts anybody", test.dsn)
		}
	}
	o, err := parseDSN("clickhouse://ann:s3cret@h/db?compress=zstd&dial_timeout=3s&read_timeout=1m&max_memory_usage=1000000000&insert_quorum=2&tls_server_name=ch.example&secure=1")
	if err != nil {
		t.Fatal(err)
	}
	if o.Auth.Username != "ann" || o.Auth.Password != "s3cret" || o.Auth.Database != "db" || o.Compression.Method != clickhouse.CompressionZSTD ||
		o.DialTimeout != 3*time.Second || o.ReadTimeout != time.Minute || o.Settings["insert_quorum"] != "2" || o.TLS.ServerName != "ch.example" {
		t.Errorf("%+v", o)
	}
}

func TestDSNRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dsn, want := range map[string]string{
		"clickhouse://u:s3cret@h:port/db":                              "cannot be read",
		"clickhouse://u:s3cret@h1:9000,:9000/db":                       "a name and a port",
		"clickhouse://u:s3cret@h:0/db":                                 "a name and a port",
		"postgres://u:s3cret@h/db":                                     "begins with clickhouse://",
		"clickhouse://u:s3cret@h/a/b":                                  "one name",
		"clickhouse://u:s3cret@h/db?secure=perhaps":                    "secure is true or false",
		"clickhouse://u:s3cret@h/db?secure=true&skip_verify=true":      "ca=FILE",
		"clickhouse://u:s3cret@h/db?ca=/x.pem":                         "add secure=true",
		"clickhouse://u:s3cret@h/db?secure=true&ca=/none.pem":          "no such file",
		"clickhouse://u:s3cret@h/db?secure=true&ca=" + empty:           "no certificate in PEM",
		"clickhouse://u:s3cret@h/db?secure=true&cert=/x.pem":           "cert=FILE and key=FILE",
		"clickhouse://u:s3cret@h/db?secure=true&cert=/x.pem&key=/none": "no such file",
		"clickhouse://u:s3cret@h/db?compress=rar":                      "lz4, zstd or none",
		"clickhouse://u:s3cret@h/db?read_timeout=0s":                   "100ms to",
		"clickhouse://u:s3cret@h/db?async_insert=1":                    `"async_insert" is none of`,
	} {
		if _, err := parseDSN(dsn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", dsn, err, want)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	several := ClickHouseOptions{DSN: "clickhouse://h1,h2/db"}
	if err := CheckClickHouse(several); err == nil || !strings.Contains(err.Error(), "--clickhouse-cluster") {
		t.Errorf("several hosts without a cluster: %v", err)
	}
	if several.Cluster = "main"; CheckClickHouse(several) != nil {
		t.Error("several hosts of a cluster are refused")
	}
	if several.Cluster = "it's"; CheckClickHouse(several) == nil {
		t.Error("a name with a quote is taken")
	}
}
