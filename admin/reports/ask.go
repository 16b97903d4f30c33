package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
)

// each runs a query and hands on its rows.
func (r *Reports) each(ctx context.Context, what, statement string, parameters clickhouse.Parameters, with func(scan func(...any) error) error) error {
	result, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), statement)
	if err != nil {
		return fmt.Errorf("ask ClickHouse for %s: %w", what, err)
	}
	defer result.Close()
	for result.Next() {
		if err := with(result.Scan); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := result.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// checkZone reads an IANA time zone; empty is UTC.
func checkZone(check *attribution.Checker, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		check.Add("query.tz", "must be an IANA time zone such as Asia/Bangkok")
		return time.UTC
	}
	return zone
}

const notATime = "must be a day (2027-01-31) or an RFC 3339 time (2027-01-31T00:00:00Z)"

// readTime reads a day, which begins at midnight in the zone, or a time.
func readTime(text string, zone *time.Location) (at time.Time, ok bool) {
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return day, true
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}
