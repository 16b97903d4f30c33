package schema

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/churl"
)

// dsnForm is how a DSN is written.
const dsnForm = "write it as clickhouse://user:password@host:9000/database, several hosts as host1:9000,host2:9000"

// The waits of a client of a server.
const (
	dialTimeout = 10 * time.Second // for all hosts together
	maxTimeout  = 10 * time.Minute
)

// passedSettings are ClickHouse's own settings that a DSN may carry; whatever decides
// how often a row counts is ours.
var passedSettings = [...]string{
	"insert_quorum", "insert_quorum_timeout", "load_balancing", "max_bytes_before_external_group_by", "max_bytes_before_external_sort",
	"max_execution_time", "max_memory_usage", "max_threads", "priority",
}

// parseDSN reads the address of a ClickHouse server, or of the hosts of a cluster. No
// error repeats a password.
func parseDSN(dsn string) (*clickhouse.Options, error) {
	u, err := churl.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("the DSN cannot be read: %s", dsnForm)
	}
	d := dsnReader{options: &clickhouse.Options{Settings: clickhouse.Settings{}}, parameters: u.Query()}
	secure := d.onOff("secure")
	d.options.Protocol = clickhouse.Native
	port := "9000"
	switch {
	case u.Scheme == "https" || u.Scheme == "http" && secure:
		d.options.Protocol, secure, port = clickhouse.HTTP, true, "8443"
	case u.Scheme == "http":
		d.options.Protocol, port = clickhouse.HTTP, "8123"
	case u.Scheme != "clickhouse" && u.Scheme != "tcp":
		d.bad("it begins with clickhouse:// or tcp:// (native protocol), http:// or https://")
	case secure:
		port = "9440"
	}
	d.hosts(u.Host, port)
	d.login(u)
	d.transport()
	if secure {
		d.secure()
	} else if d.given("ca", "cert", "key", "tls_server_name") {
		d.bad("ca, cert, key and tls_server_name are of TLS: add secure=true")
	}
	d.settings()
	if d.err != nil {
		return nil, d.err
	}
	d.options.DialStrategy = dialInTurn
	return d.options, nil
}

// A dsnReader keeps the first thing that is wrong with a DSN.
type dsnReader struct {
	options    *clickhouse.Options
	parameters url.Values
	read       []string // parameters that were understood
	err        error
}

func (d *dsnReader) bad(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *dsnReader) value(name string) string {
	d.read = append(d.read, name)
	return d.parameters.Get(name)
}

func (d *dsnReader) given(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return d.value(name) != "" })
}

func (d *dsnReader) onOff(name string) bool {
	switch value := d.value(name); value {
	case "true", "1":
		return true
	case "", "false", "0":
	default:
		d.bad("%s is true or false", name)
	}
	return false
}

func (d *dsnReader) hosts(list, port string) {
	for host := range strings.SplitSeq(list, ",") {
		name, number, err := net.SplitHostPort(host)
		if err != nil {
			name, number = strings.Trim(host, "[]"), port
		}
		n, err := strconv.Atoi(number)
		if name == "" || err != nil || n < 1 || n > 65535 {
			d.bad("every host is a name and a port: %s", dsnForm)
		}
		d.options.Addr = append(d.options.Addr, net.JoinHostPort(name, number))
	}
}

func (d *dsnReader) login(u *url.URL) {
	d.options.Auth.Database = strings.TrimPrefix(u.Path, "/")
	if strings.Contains(d.options.Auth.Database, "/") {
		d.bad("the database is one name: %s", dsnForm)
	}
	d.options.Auth.Username, d.options.Auth.Password = d.value("username"), d.value("password")
	if u.User != nil {
		d.options.Auth.Username = u.User.Username()
		if password, given := u.User.Password(); given {
			d.options.Auth.Password = password
		}
	}
}

func (d *dsnReader) transport() {
	methods := map[string]clickhouse.CompressionMethod{
		"": clickhouse.CompressionLZ4, "lz4": clickhouse.CompressionLZ4, "true": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
		"none": clickhouse.CompressionNone, "false": clickhouse.CompressionNone,
	}
	method, known := methods[d.value("compress")]
	if !known {
		d.bad("compress is lz4, zstd or none")
	}
	d.options.Compression = &clickhouse.Compression{Method: method}
	d.options.DialTimeout = d.duration("dial_timeout", dialTimeout)
	d.options.ReadTimeout = d.duration("read_timeout", 5*time.Minute)
}

func (d *dsnReader) duration(name string, otherwise time.Duration) time.Duration {
	value := d.value(name)
	if value == "" {
		return otherwise
	}
	span, err := time.ParseDuration(value)
	if err != nil || span < 100*time.Millisecond || span > maxTimeout {
		d.bad("%s is 100ms to %s, with its unit", name, maxTimeout)
	}
	return span
}

// secure reads what TLS needs. Files are read now, so that a missing one is said at the
// start; a client certificate is read again for each connection, so that it can be renewed.
func (d *dsnReader) secure() {
	if d.given("skip_verify") {
		d.bad("skip_verify would trust whoever answers, with the password and every click: leave it out, and name your own certificate authority with ca=FILE")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: d.value("tls_server_name")}
	if file := d.value("ca"); file != "" {
		text, err := os.ReadFile(file)
		config.RootCAs = x509.NewCertPool()
		if err != nil {
			d.bad("ca: %w", err)
		} else if !config.RootCAs.AppendCertsFromPEM(text) {
			d.bad("ca: %s holds no certificate in PEM", file)
		}
	}
	if cert, key := d.value("cert"), d.value("key"); cert != "" || key != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		}
		if _, err := load(); cert == "" || key == "" {
			d.bad("a client certificate is two files: give cert=FILE and key=FILE")
		} else if err != nil {
			d.bad("cert and key: %w", err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	d.options.TLS = config
}

func (d *dsnReader) settings() {
	for _, name := range passedSettings {
		if value := d.value(name); value != "" {
			d.options.Settings[name] = value
		}
	}
	for name := range d.parameters {
		if !slices.Contains(d.read, name) {
			d.bad("the DSN's parameter %q is none of %s, or of ClickHouse's settings %s", name,
				"secure, ca, cert, key, tls_server_name, compress, dial_timeout, read_timeout, username, password", strings.Join(passedSettings[:], ", "))
		}
	}
}

// dialInTurn connects to the first host that answers, in the order they are given, so
// that what one connection wrote another one reads. None may use up the time of the others.
func dialInTurn(ctx context.Context, _ int, o *clickhouse.Options, dial clickhouse.Dial) (r clickhouse.DialResult, err error) {
	var all []error
	for i, host := range o.Addr {
		share := *o
		share.DialTimeout = o.DialTimeout / time.Duration(len(o.Addr))
		within, cancel := context.WithTimeout(ctx, share.DialTimeout)
		r, err = dial(within, o.Addr[i], &share)
		cancel()
		if err == nil {
			return r, nil
		}
		all = append(all, fmt.Errorf("%s: %w", host, err))
	}
	return r, errors.Join(all...)
}
