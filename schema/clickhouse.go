package schema

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema/engine"
)

// ClickHouseOptions say which ClickHouse to open: exactly one of DSN and Engine is given.
type ClickHouseOptions struct {
	// DSN is a server's address: clickhouse:// or tcp:// (native protocol),
	// http:// or https://, and the hosts of a cluster separated by commas. It may
	// carry credentials; no error repeats it.
	DSN string
	// Cluster is the name of the cluster the DSN's hosts are of, as the servers'
	// configuration has it; empty for one server.
	Cluster string
	// Engine is the embedded one.
	Engine *engine.Engine
	// Settings are those of every query, beside the DSN's.
	Settings clickhouse.Settings
	// Database overrides the DSN's, or [engine.Database].
	Database string
	// MaxOpenConns bounds queries and inserts at once; 8 when zero.
	MaxOpenConns int
}

// OpenClickHouse returns a client of a ClickHouse server or of the embedded
// engine. It does not connect: the first use does, and waits for an engine
// that is still starting. Errors are those of the options.
func OpenClickHouse(options ClickHouseOptions) (driver.Conn, error) {
	client, err := clientOptions(options)
	if err != nil {
		return nil, err
	}
	client.Settings = settings(client.Settings, options)
	return open(client, options)
}

// settings are those of every query: the DSN's, and the options'.
func settings(ofDSN clickhouse.Settings, options ClickHouseOptions) clickhouse.Settings {
	all := clickhouse.Settings{}
	if options.Cluster != "" {
		all = ClusterSettings()
	}
	maps.Copy(all, ofDSN)
	maps.Copy(all, options.Settings)
	return all
}

func open(client *clickhouse.Options, options ClickHouseOptions) (driver.Conn, error) {
	client.MaxOpenConns = options.MaxOpenConns
	if client.MaxOpenConns <= 0 {
		client.MaxOpenConns = 8
	}
	client.MaxIdleConns = client.MaxOpenConns
	if client.DialTimeout == 0 {
		client.DialTimeout = dialTimeout
	}
	if options.Database != "" {
		client.Auth.Database = options.Database
	}
	conn, err := clickhouse.Open(client)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	if options.Cluster != "" {
		return InCluster(conn, options.Cluster), nil
	}
	return conn, nil
}

func clientOptions(options ClickHouseOptions) (*clickhouse.Options, error) {
	if !clusterName.MatchString(options.Cluster) {
		return nil, errors.New("open ClickHouse: the name of a cluster is letters, digits, _, - and dots, as in the servers' <remote_servers>")
	}
	switch {
	case options.Engine != nil && options.DSN != "":
		return nil, errors.New("open ClickHouse: give a DSN or the embedded engine, not both")
	case options.Engine != nil:
		return &clickhouse.Options{
			Protocol: clickhouse.HTTP,
			// The name is loopback's so that no proxy of the environment is asked.
			Addr:        []string{"localhost:0"},
			DialContext: func(ctx context.Context, _ string) (net.Conn, error) { return options.Engine.Dial(ctx) },
		}, nil
	case options.DSN == "":
		return nil, errors.New("open ClickHouse: no DSN given; " + dsnForm)
	}
	client, err := parseDSN(options.DSN)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	if len(client.Addr) > 1 && options.Cluster == "" {
		return nil, errors.New("open ClickHouse: the DSN names several hosts, which count a batch that is sent again once only as a cluster: name it with --clickhouse-cluster, or give one host")
	}
	return client, nil
}

// CheckClickHouse says what is wrong with options, as [OpenClickHouse] would.
func CheckClickHouse(options ClickHouseOptions) error {
	_, err := clientOptions(options)
	return err
}

// InsertSettings are the settings of an insert that must count once however
// often it is sent: the token stands for the batch, and the same token must
// always come with the same rows in the same order. The tables remember the
// last 10,000 tokens of a partition's blocks.
func InsertSettings(token string) clickhouse.Settings {
	return clickhouse.Settings{
		"insert_deduplication_token":                         token,
		"insert_deduplicate":                                 1,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"async_insert":                                       0,
		"max_insert_threads":                                 1, // blocks are formed the same way each time
	}
}
