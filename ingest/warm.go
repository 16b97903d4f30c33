package ingest

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
)

// A warmWindow can be told hits it need not judge. Windows that outlive the
// process need none of it.
type warmWindow interface{ Seen(Hit) }

// logDisorderMs is how much older than one before it a log's record may be.
const logDisorderMs = 60_000

// lastVisits are the valid hits of the window before the first pending click.
const lastVisits = `SELECT link_id, visitor, toUnixTimestamp64Milli(time)
FROM clicks
WHERE time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
	AND verdict = 'valid' AND visitor != 0 AND NOT (node = {node:String} AND seq >= {seq:UInt64})`

// Warm implements Table: it fills the unique window as it was before the first
// pending click, so that a batch sent by an earlier life gets the same answers.
func (c *Clicks) Warm(ctx context.Context, pending Pending) error {
	window, needed := c.window.(warmWindow)
	var first attribution.Click
	if !needed {
		return nil
	}
	if err := attribution.DecodeClick(pending.First, &first); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, err := c.conn.Query(ctx, lastVisits,
		clickhouse.Named("from_ms", first.AtMs-UniqueWindowLength.Milliseconds()), clickhouse.Named("to_ms", first.AtMs+logDisorderMs),
		clickhouse.Named("node", pending.Node), clickhouse.Named("seq", pending.FirstSeq))
	if err != nil {
		return fmt.Errorf("read the last visits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var link string
		var h Hit
		if err := rows.Scan(&link, &h.Visitor, &h.AtMs); err != nil {
			return fmt.Errorf("read the last visits: %w", err)
		}
		h.Link = linkKey(link)
		window.Seen(h)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the last visits: %w", err)
	}
	return nil
}
