package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrOlderLog is returned for a log that ends before what was shipped from it, as
// when its disk was restored from a backup while ClickHouse lived on. It gives
// numbers to new records that name stored rows: they could be taken for those.
var ErrOlderLog = errors.New("ingest: the log is older than what was shipped from it")

// CheckAge asks ClickHouse whether it has rows of the log beyond the log's end, and
// returns ErrOlderLog when it does: the log must take no records then.
func (s *Shipper) CheckAge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	end := s.Log.Stats().Appended // what is appended meanwhile may be shipped only later
	var last uint64
	err := s.ClickHouse.QueryRow(ctx, "SELECT max(seq) FROM "+s.Table.Name()+" WHERE node = {node:String} AND seq > {end:UInt64}",
		clickhouse.Named("node", s.node), clickhouse.Named("end", end)).Scan(&last)
	if err != nil {
		return fmt.Errorf("ask ClickHouse how far it has the log %s: %w", s.Name, err)
	}
	if last > end {
		return fmt.Errorf("%w: it ends with record %d, ClickHouse has it through %d", ErrOlderLog, end, last)
	}
	return nil
}
