package schema

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema/engine"
)

// ClickHouseOptions say which ClickHouse to open: exactly one of DSN and Engine is given.
type ClickHouseOptions struct {
	// DSN is a server's address: clickhouse:// or tcp:// (native protocol),
	// http:// or https://. It may carry credentials; no error repeats it.
	DSN string
	// Engine is the embedded one.
	Engine *engine.Engine
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
	client.MaxOpenConns = options.MaxOpenConns
	if client.MaxOpenConns <= 0 {
		client.MaxOpenConns = 8
	}
	client.MaxIdleConns = client.MaxOpenConns
	client.DialTimeout = 10 * time.Second
	if options.Database != "" {
		client.Auth.Database = options.Database
	}
	conn, err := clickhouse.Open(client)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	return conn, nil
}

func clientOptions(options ClickHouseOptions) (*clickhouse.Options, error) {
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
		return nil, errors.New("open ClickHouse: no DSN given; write one as clickhouse://user:password@host:9000/database")
	}
	dsn := options.DSN
	if strings.HasPrefix(dsn, "https://") && !strings.Contains(dsn, "secure=") {
		dsn = withParameter(dsn, "secure=true") // the driver wants to be told twice
	}
	client, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the DSN, which may hold a password
		}
		return nil, fmt.Errorf("open ClickHouse: the DSN cannot be read: %w; write it as clickhouse://user:password@host:9000/database", err)
	}
	if client.Compression == nil {
		client.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	return client, nil
}

func withParameter(dsn, parameter string) string {
	if strings.Contains(dsn, "?") {
		return dsn + "&" + parameter
	}
	return dsn + "?" + parameter
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
