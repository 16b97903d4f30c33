package schema

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxSummed is how many numbers of entries one step of SumActions covers.
const maxSummed = 200_000

// SumActions brings the table action_sums up to the entries there are, and returns
// when it has. Every entry counts once, whoever else does the same at the same time
// and whatever is interrupted: a step is one insert, which also moves the position,
// under a token that follows from the position it begins at.
func SumActions(ctx context.Context, conn driver.Conn) error {
	for {
		var after, last uint64
		if err := conn.QueryRow(ctx, ClickHouseQuery("summed_actions")).Scan(&after, &last); err != nil {
			return fmt.Errorf("ask ClickHouse how far actions are summed: %w", err)
		}
		if after >= last {
			return nil
		}
		from, to := strconv.FormatUint(after, 10), strconv.FormatUint(min(last, after+maxSummed), 10)
		settings := InsertSettings("action_sums after " + from)
		settings["max_threads"] = 1 // one block, one part
		ctx := clickhouse.Context(ctx, clickhouse.WithSettings(settings), clickhouse.WithParameters(clickhouse.Parameters{"after": from, "through": to}))
		if err := conn.Exec(ctx, ClickHouseQuery("sum_actions")); err != nil {
			return fmt.Errorf("sum actions in ClickHouse: %w", err)
		}
	}
}
