package reports

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"tributary/schema/schematest"
)

func TestCodeUseEqualsARecount(t *testing.T) {
	conn := schematest.Start(t)
	j := drawJourney(2_000, 900)
	j.store(t, conn)
	reports := New(conn, upToDate{}, noAgencies{})
	zone, _ := time.LoadLocation("Australia/Lord_Howe")
	for name, c := range map[string]struct {
		scope   Scope
		groupBy []string
		filters map[string][]string
		keep    func(*converted) bool
	}{
		"everything":    {scope: Scope{All: true}, keep: func(*converted) bool { return true }},
		"by code":       {scope: Scope{All: true}, groupBy: []string{"code"}, keep: func(*converted) bool { return true }},
		"by day":        {scope: Scope{AdvertiserID: "adv_0"}, groupBy: []string{"day"}, keep: func(c *converted) bool { return c.advertiser == "adv_0" }},
		"a creator":     {scope: Scope{CreatorID: "crt_1"}, keep: func(c *converted) bool { return c.codeOwner == "crt_1" }},
		"one, any case": {scope: Scope{All: true}, filters: map[string][]string{"code": {"sUmMeR", "ÜB"}}, keep: func(c *converted) bool { return c.code != "nobody's" }},
		"leads":         {scope: Scope{All: true}, filters: map[string][]string{"event": {"lead"}}, keep: func(c *converted) bool { return c.event == "lead" }},
	} {
		answer, err := reports.Codes(t.Context(), c.scope, CodesQuestion{Narrowing: Narrowing{TZ: zone.String(), Filters: c.filters}, GroupBy: c.groupBy, Limit: 10_000}, reportTime)
		must(t, err)
		type figures struct{ uses, without, credited, customers int64 }
		groups, customers := map[string]*figures{}, map[string]map[string]bool{}
		byCode, byDay := len(c.groupBy) == 0 || c.groupBy[0] == "code", len(c.groupBy) == 0 || c.groupBy[0] == "day"
		for i := range j.conversions {
			conversion := &j.conversions[i]
			if conversion.code == "" || !conversion.at.Before(reportTime.Add(15*time.Minute)) || !c.keep(conversion) {
				continue
			}
			key := ""
			if byCode {
				key = strings.ToUpper(conversion.code) + conversion.advertiser
			}
			if byDay {
				key += conversion.at.In(zone).Format(time.DateOnly)
			}
			for _, key := range []string{key, "total"} {
				if groups[key] == nil {
					groups[key], customers[key] = &figures{}, map[string]bool{}
				}
				g := groups[key]
				g.uses++
				if len(conversion.visits()) == 0 {
					g.without++
				}
				g.credited += int64(len(conversion.code) % 2)
				if conversion.customer != "" {
					customers[key][conversion.customer] = true
				}
				g.customers = int64(len(customers[key]))
			}
		}
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		check := func(key string, row *CodeRow) {
			t.Helper()
			want := groups[key]
			delete(groups, key)
			got := figures{row.Uses, row.UsesWithoutClick, row.CreditedUses, row.Customers}
			if want == nil || got != *want {
				t.Errorf("%s: %s is %+v, want %+v", name, key, got, want)
				return
			}
			if share := big.NewRat(got.without, got.uses).FloatString(4); text(row.ShareWithoutClick) != share {
				t.Errorf("%s: %s has the share %s, want %s", name, key, text(row.ShareWithoutClick), share)
			}
		}
		for i := range answer.Rows {
			row := &answer.Rows[i]
			check(text(row.Code)+text(row.AdvertiserID)+text(row.Day), row)
			if i > 0 && row.UsesWithoutClick > answer.Rows[i-1].UsesWithoutClick {
				t.Errorf("%s: rows are not in falling order of uses without click", name)
			}
		}
		check("total", &answer.Total)
		if len(groups) > 0 {
			t.Errorf("%s: %d groups are missing", name, len(groups))
		}
	}
}
