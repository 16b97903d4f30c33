package main

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"
)

// What a report said at a time, it says as of that time, after approvals,
// reversals and adjustments; and posts are in the same rows.
func TestReportsTellThePast(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	<-a.migrated
	link := a.makeLink()
	a.call(http.MethodPatch, "/v1/campaigns/"+link["campaign_id"].(string), map[string]any{
		"track_posts": true,
		"terms": map[string]any{
			"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}},
			"lock":   map[string]any{"basis": "day", "months": 1, "days": 0}, "pay": map[string]any{"basis": "day", "months": 1, "days": 0},
		},
	}, http.StatusOK)
	campaign := a.sellBy(link, 12)
	report := func(rest string) map[string]any {
		return a.call(http.MethodGet, "/v1/reports/performance?group_by=campaign,creator&campaign_id="+campaign+rest, nil, http.StatusOK)
	}
	row := func(answer map[string]any) map[string]any {
		if rows := answer["rows"].([]any); len(rows) == 1 {
			return rows[0].(map[string]any)
		}
		return map[string]any{}
	}
	eventually(t, func() error {
		if n := row(report(""))["actions"]; n != 12.0 {
			return fmt.Errorf("the report has %v actions", n)
		}
		return nil
	})
	before := report("")
	then := url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano))
	time.Sleep(2 * time.Millisecond) // entries are told apart by milliseconds

	actions := a.call(http.MethodGet, "/v1/actions?campaign_id="+campaign+"&limit=100", nil, http.StatusOK)["items"].([]any)
	id := func(n int) string { return "/v1/actions/" + actions[n].(map[string]any)["id"].(string) }
	for n := range 3 {
		a.call(http.MethodPost, id(n)+"/approve", map[string]any{}, http.StatusOK)
	}
	for n := 3; n < 5; n++ {
		a.call(http.MethodPost, id(n)+"/reverse", map[string]any{"reason": "returned"}, http.StatusOK)
	}
	a.call(http.MethodPost, id(5)+"/adjust", map[string]any{"amount": "4.00", "reason": "order_error"}, http.StatusOK)
	post := a.call(http.MethodPost, fmt.Sprintf("/v1/tasks/%s/posts", link["task_id"]), map[string]any{"url": "https://www.tiktok.com/@ana/video/1"}, http.StatusCreated)
	a.call(http.MethodPost, fmt.Sprintf("/v1/posts/%s/metrics", post["id"]), map[string]any{"views": 1000, "likes": 70, "shares": 5, "comments": 25}, http.StatusCreated)

	eventually(t, func() error {
		r := row(report(""))
		for column, want := range map[string]any{
			"actions": 10.0, "actions_reversed": 2.0, "sale_amount": "94.00", "reversed_amount": "20.00", "posts": 1.0, "views": 1000.0,
			"engagements": 100.0, "engagement_rate": "0.1000",
		} {
			if r[column] != want {
				return fmt.Errorf("%s is %v, want %v", column, r[column], want)
			}
		}
		return nil
	})
	again := report("&as_of=" + then)
	for _, part := range []string{"rows", "totals"} {
		if !reflect.DeepEqual(before[part], again[part]) {
			t.Errorf("as of then the %s are\n%v, and were\n%v", part, again[part], before[part])
		}
	}
	if found := a.call(http.MethodGet, "/v1/audit", nil, http.StatusOK); found["agree"] != true {
		t.Errorf("the audit says %v", found)
	}
	a.call(http.MethodDelete, fmt.Sprintf("/v1/posts/%s", post["id"]), nil, http.StatusNoContent)
	eventually(t, func() error {
		if n := row(report(""))["posts"]; n != 0.0 {
			return fmt.Errorf("an archived post counts: %v", n)
		}
		return nil
	})
}
