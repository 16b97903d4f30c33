package schema

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Codes of ClickHouse's exceptions that pass by themselves: it starts, is behind with
// its tables or replicas, or has too much to do.
var awayCodes = []int32{
	60,  // UNKNOWN_TABLE: not migrated yet
	81,  // UNKNOWN_DATABASE
	202, // TOO_MANY_SIMULTANEOUS_QUERIES
	209, // SOCKET_TIMEOUT
	210, // NETWORK_ERROR
	242, // TABLE_IS_READ_ONLY: a replica without its keeper
	279, // ALL_CONNECTION_TRIES_FAILED
	999, // KEEPER_EXCEPTION
}

// ClickHouseAway reports whether an error of a query says that ClickHouse cannot be
// reached, or has no tables yet: asking again later may help.
func ClickHouseAway(err error) bool {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return slices.Contains(awayCodes, exception.Code)
	}
	var answer *clickhouse.HTTPError
	if errors.As(err, &answer) {
		return answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusServiceUnavailable
	}
	var connection *net.OpError
	return errors.As(err, &connection) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, clickhouse.ErrAcquireConnTimeout)
}
