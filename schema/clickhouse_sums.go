package schema

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxSummed is how many numbers of entries one step of SumActions covers.
const maxSummed = 200_000

// The waits for a replica that has not got every entry yet.
const (
	replicaTries = 100
	replicaPause = 50 * time.Millisecond
)

// SumActions brings the table action_sums up to the entries there are, and returns
// when it has. Every entry counts once, whoever else does the same at the same time
// and whatever is interrupted: a step is one insert, which also moves the position,
// under a token that follows from the position it begins at. On a cluster it is made
// where every entry has arrived: what is missing would never be added.
func SumActions(ctx context.Context, conn driver.Conn) error {
	began := uint64(math.MaxUint64)
	for {
		after, last, server, err := wholeEntries(ctx, conn)
		switch {
		case err != nil:
			return err
		case after >= last:
			return nil
		case after == began:
			return fmt.Errorf("sum actions in ClickHouse: %s does not have the step from entry %d on yet", server, after)
		}
		began = after
		from, to := strconv.FormatUint(after, 10), strconv.FormatUint(min(last, after+maxSummed), 10)
		settings := InsertSettings("action_sums after " + from)
		settings["max_threads"] = 1 // one block, one part
		ctx := clickhouse.Context(ctx, clickhouse.WithSettings(settings),
			clickhouse.WithParameters(clickhouse.Parameters{"after": from, "through": to, "server": server}))
		if err := conn.Exec(ctx, ClickHouseQuery("sum_actions")); err != nil {
			return fmt.Errorf("sum actions in ClickHouse: %w", err)
		}
	}
}

// wholeEntries says how far actions are summed and how far entries reach, as a server
// says that has all that was inserted into both.
func wholeEntries(ctx context.Context, conn driver.Conn) (after, last uint64, server string, err error) {
	for range replicaTries {
		var behind uint64
		if err := conn.QueryRow(ctx, ClickHouseQuery("summed_actions")).Scan(&after, &last, &server, &behind); err != nil {
			return 0, 0, "", fmt.Errorf("ask ClickHouse how far actions are summed: %w", err)
		}
		if behind == 0 {
			return after, last, server, nil
		}
		select {
		case <-ctx.Done():
			return 0, 0, "", ctx.Err()
		case <-time.After(replicaPause):
		}
	}
	return 0, 0, "", fmt.Errorf("sum actions in ClickHouse: %s does not have all entries of the other replicas yet", server)
}
