package reports

import (
	"context"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
	"tributary/schema"
)

// An Upcoming is what becomes payable on one day: of locked actions, which is
// certain, and of pending ones, which may still be reversed.
type Upcoming struct {
	Day      string // 2027-01-31; empty: not known yet, such as of posts before they are approved
	Currency string
	Locked   string
	Pending  string
	Actions  uint64
}

// maxUpcoming bounds the rows of Upcoming, two of a day and currency.
const maxUpcoming = 500

// Upcoming says when what was earned becomes payable, by day in a zone and by
// currency, the next one first. An advertiser does not see it: what creators get
// where an agency has a margin is not for its eyes.
func (r *Reports) Upcoming(ctx context.Context, scope Scope, zone *time.Location) ([]Upcoming, error) {
	if scope.AdvertiserID != "" && scope.CreatorID == "" {
		return nil, attribution.Refuse(attribution.CodeForbidden, "what creators are to be paid is shown by creator")
	}
	parameters := clickhouse.Parameters{"tz": zone.String()}
	input := struct {
		Conditions []string
		Limit      int
	}{scopeConditions(scope, parameters), maxUpcoming}
	query, err := template.New("upcoming_pay").Parse(schema.ClickHouseQuery("upcoming_pay"))
	if err != nil {
		return nil, fmt.Errorf("read the query for upcoming pay: %w", err)
	}
	var statement strings.Builder
	if err := query.Execute(&statement, input); err != nil {
		return nil, fmt.Errorf("write the query for upcoming pay: %w", err)
	}
	rows, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), statement.String())
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for upcoming pay: %w", err)
	}
	defer rows.Close()
	var days []Upcoming
	for rows.Next() {
		var day, currency, state string
		var minor int64
		var actions uint64
		if err := rows.Scan(&day, &currency, &state, &minor, &actions); err != nil {
			return nil, fmt.Errorf("read upcoming pay: %w", err)
		}
		if n := len(days); n == 0 || days[n-1].Day != day || days[n-1].Currency != currency {
			none := attribution.FormatMoney(0, currency)
			days = append(days, Upcoming{Day: day, Currency: currency, Locked: none, Pending: none})
		}
		last := &days[len(days)-1]
		last.Actions += actions
		if state == "locked" {
			last.Locked = attribution.FormatMoney(minor, currency)
		} else {
			last.Pending = attribution.FormatMoney(minor, currency)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read upcoming pay: %w", err)
	}
	return days, nil
}
