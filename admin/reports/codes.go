package reports

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"time"

	"tributary/attribution"
	"tributary/schema"
)

// A CodeRow is how a code was used: on a day, or over the whole period.
type CodeRow struct {
	Code              *string `json:"code" doc:"In capitals, as it is compared in any case; null when it is not grouped by code"`
	Day               *string `json:"day" doc:"In tz, by event time; null when it is not grouped by day"`
	AdvertiserID      *string `json:"advertiser_id" doc:"Null, as what follows, when it is not grouped by code"`
	CampaignID        *string `json:"campaign_id" doc:"Whose the code is; null: the advertiser has none such"`
	CreatorID         *string `json:"creator_id"`
	TaskID            *string `json:"task_id"`
	Platform          *string `json:"platform"`
	Uses              int64   `json:"uses" doc:"Conversions that brought the code"`
	UsesWithoutClick  int64   `json:"uses_without_click" doc:"Of which no click of a person is known, of any creator: a code that leaked is used so"`
	ShareWithoutClick *string `json:"share_without_click" doc:"uses_without_click ÷ uses"`
	CreditedUses      int64   `json:"credited_uses" doc:"Of which the code earned the conversion"`
	Customers         int64   `json:"customers" doc:"Distinct customers, of the uses that named one"`
}

// A CodesReport is the answer, with the whole of the period.
type CodesReport struct {
	Rows        []CodeRow
	Total       CodeRow
	ByDay       bool
	Truncated   bool
	DataThrough time.Time
	Lag         time.Duration
}

var codeFilters = []string{"advertiser_id", "campaign_id", "creator_id", "task_id", "platform", "event", "code"}

// codeSorts are what the rows can be sorted by, and the columns.
var codeSorts = map[string]string{
	"uses": "uses", "uses_without_click": "without_click", "share_without_click": "without_click / uses", "credited_uses": "credited", "customers": "customers",
	"day": "day", "code": "name",
}

// A CodesQuestion asks how codes were used.
type CodesQuestion struct {
	Narrowing
	GroupBy []string // code, day or both; empty: both
	Sort    string   // a field, - in front for falling; empty: -uses_without_click
	Limit   int      // 0: DefaultRows
}

// Codes counts the uses of codes by code and day.
func (r *Reports) Codes(ctx context.Context, scope Scope, asked CodesQuestion, now time.Time) (*CodesReport, error) {
	var check attribution.Checker
	n := asked.check(&check, scope, now, codeFilters...)
	byDay := len(asked.GroupBy) == 0 || slices.Contains(asked.GroupBy, "day")
	byCode := len(asked.GroupBy) == 0 || slices.Contains(asked.GroupBy, "code")
	for _, name := range asked.GroupBy {
		check.Require(name == "code" || name == "day", "query.group_by", "must be code, day or both")
	}
	field, falling := strings.CutPrefix(asked.Sort, "-")
	if asked.Sort == "" {
		field, falling = "uses_without_click", true
	}
	order := codeSorts[field]
	check.Require(order != "", "query.sort", "must be a field of the answer, with - in front for falling order")
	limit := asked.Limit
	if limit == 0 {
		limit = DefaultRows
	}
	check.Require(limit > 0 && limit <= MaxRows, "query.limit", "must be 1 to %d", MaxRows)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if falling {
		order += " DESC"
	}
	answer := &CodesReport{ByDay: byDay, DataThrough: r.freshness.DataThrough(now)}
	answer.Lag = max(0, now.Sub(answer.DataThrough))
	var err error
	if answer.Rows, err = r.codeRows(ctx, &n, byCode, byDay, order, limit+1); err != nil {
		return nil, err
	}
	if len(answer.Rows) > limit {
		answer.Rows, answer.Truncated = answer.Rows[:limit], true
	}
	total, err := r.codeRows(ctx, &n, false, false, "uses", 1)
	if len(total) == 1 {
		answer.Total = total[0]
	}
	return answer, err
}

func (r *Reports) codeRows(ctx context.Context, n *narrowed, byCode, byDay bool, order string, limit int) ([]CodeRow, error) {
	parameters := n.parameters()
	input := struct {
		Conditions    []string
		ByCode, ByDay bool
		OrderBy       string
		Limit         int
	}{n.conditions(parameters, func(name string) string {
		switch name {
		case "advertiser_id", "event":
			return name
		case "code":
			return "lowerUTF8(code)"
		case "campaign_id", "creator_id", "task_id":
			return "code_" + strings.TrimSuffix(name, "_id")
		case "platform":
			return "code_platform"
		}
		return ""
	}), byCode, byDay, order, limit}
	statement, err := schema.ClickHouseStatement("codes", input)
	if err != nil {
		return nil, err
	}
	rows := []CodeRow{}
	err = r.each(ctx, "the use of codes", statement, parameters, func(scan func(...any) error) error {
		var row CodeRow
		var code, day, advertiser, campaign, creator, task, platform string
		var uses, without, credited, customers uint64
		if err := scan(&code, &day, &advertiser, &campaign, &creator, &task, &platform, &uses, &without, &credited, &customers); err != nil {
			return err
		}
		row.Uses, row.UsesWithoutClick, row.CreditedUses, row.Customers = int64(uses), int64(without), int64(credited), int64(customers)
		row.Code, row.Day, row.AdvertiserID, row.CampaignID = orNull(code), orNull(day), orNull(advertiser), orNull(campaign)
		row.CreatorID, row.TaskID, row.Platform = orNull(creator), orNull(task), orNull(platform)
		if uses > 0 {
			share := big.NewRat(row.UsesWithoutClick, row.Uses).FloatString(shareDigits)
			row.ShareWithoutClick = &share
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// shareDigits is how many decimals a share is written with.
const shareDigits = 4
