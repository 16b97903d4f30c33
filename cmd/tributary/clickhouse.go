package main

import (
	"strings"

	"tributary/schema"
)

// clickhouseForm is what --clickhouse takes.
const clickhouseForm = "must be embedded, or a DSN such as clickhouse://user:password@host:9000/tributary"

// clickhouse checks the DSN of a ClickHouse server, or of the hosts of a cluster.
func (c *checker) clickhouse(name, value, cluster string) DSN {
	if value == "" {
		if cluster != "" {
			c.bad("clickhouse-cluster", cluster, "is of ClickHouse servers: name their hosts with --clickhouse, or leave this out")
		}
		return ""
	}
	if !strings.Contains(value, "://") {
		c.bad(name, redactURL(value), clickhouseForm)
		return ""
	}
	if err := schema.CheckClickHouse(schema.ClickHouseOptions{DSN: value, Cluster: cluster}); err != nil {
		c.bad(name, redactURL(value), "%s; %s", strings.TrimPrefix(err.Error(), "open ClickHouse: "), clickhouseForm)
		return ""
	}
	return DSN(value)
}

// clickHouseServer is the ClickHouse of the operator's, if there is one.
func (o Options) clickHouseServer() schema.ClickHouseOptions {
	return schema.ClickHouseOptions{DSN: string(o.ClickHouse), Cluster: o.ClickHouseCluster}
}
