package main

import (
	"net/http"
	"testing"

	"tributary/catalog"
)

func TestDemoShowsHowCreatorsComeIn(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.Demo, o.ClickHouse = true, "clickhouse://127.0.0.1:9/tributary"
	a := startTestApp(t, o)
	items := func(path string) []any {
		return a.call(http.MethodGet, path, nil, http.StatusOK)["items"].([]any)
	}
	field := func(item any, name string) string { s, _ := item.(map[string]any)[name].(string); return s }
	visible, places := map[string]bool{}, map[string]int{}
	for _, campaign := range items("/v1/campaigns") {
		visible[field(campaign, "visibility")] = true
		for _, place := range items("/v1/campaigns/" + field(campaign, "id") + "/creators") {
			places[field(place, "status")]++
		}
	}
	if len(visible) != 3 {
		t.Errorf("the visibilities are %v", visible)
	}
	if places[catalog.Applied] != 1 || places[catalog.Invited] != 2 {
		t.Errorf("the participations are %v", places)
	}
	if waiting := items("/v1/drafts?status=waiting"); len(waiting) != 1 {
		t.Errorf("the drafts that wait are %v", waiting)
	}
	posts := items("/v1/posts?status=effective")
	if len(posts) != 1 || len(items("/v1/posts/"+field(posts[0], "id")+"/metrics")) != 3 {
		t.Fatalf("the posts are %v", posts)
	}
	if earned := items("/v1/actions?post_id=" + field(posts[0], "id")); len(earned) != 3 {
		t.Errorf("the post earned %v", earned)
	}
}
