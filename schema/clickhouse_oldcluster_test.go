package schema

import (
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// OpenOldCluster is [OpenClickHouse] for a cluster of ClickHouse 18.16, which knows hardly
// any of [ClusterSettings] and has another name for the one without which no insert is
// acknowledged when it is stored.
func OpenOldCluster(dsn, name string) (driver.Conn, error) {
	options := ClickHouseOptions{DSN: dsn, Cluster: name}
	client, err := clientOptions(options)
	if err != nil {
		return nil, err
	}
	client.Settings = clickhouse.Settings{"insert_distributed_sync": 1}
	return open(client, options)
}
