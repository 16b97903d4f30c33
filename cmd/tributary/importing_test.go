package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// upload posts a CSV file as the admin.
func (a *testApp) upload(path, file string, want int) map[string]any {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, "http://"+a.adminListener.Addr().String()+path, strings.NewReader(file))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	request.Header.Set("Content-Type", "text/csv")
	response, err := a.http.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	answer := map[string]any{}
	if err := json.Unmarshal(content, &answer); err != nil || response.StatusCode != want {
		a.t.Fatalf("%s is answered %s: %s", path, response.Status, content)
	}
	return answer
}

func TestImportSaysWhatBecameOfEachLine(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, rehearsalOptions(t))
	link := a.makeLink()
	click := a.call(http.MethodPost, "/v1/sandbox/click", map[string]any{"link_id": link["id"]}, http.StatusCreated)["click_id"].(string)
	path := "/v1/conversions/import?advertiser_id=" + link["advertiser_id"].(string)
	file := "event,order_id,amount,currency,click_id\n" +
		"sale,o1,10.00,USD," + click + "\n" +
		"sale,o2,1.001,USD,\n" +
		"sale,o1,10.00,USD," + click + "\n" +
		"sale,o1,11.00,USD," + click + "\n" +
		"sale,o3,30.00,USD,\n"
	figures := func(answer map[string]any) string {
		all := []string{}
		for _, name := range []string{"lines", "accepted", "duplicate", "conflict", "rejected", "pending"} {
			all = append(all, asText(answer[name]))
		}
		return strings.Join(all, " ")
	}
	if got := figures(a.upload(path+"&dry_run=true", file, http.StatusOK)); got != "5 4 0 0 1 0" { // orders of one file are not compared
		t.Errorf("the dry run says %s", got)
	}
	if items := a.call(http.MethodGet, "/v1/conversions", nil, http.StatusOK)["items"].([]any); len(items) != 0 {
		t.Errorf("after a dry run there are %d conversions", len(items))
	}
	done := a.upload(path, file, http.StatusOK)
	if got := figures(done); got != "5 2 1 1 1 0" {
		t.Errorf("the import says %s", got)
	}
	lines := ""
	for _, e := range done["errors"].([]any) {
		line := e.(map[string]any)
		lines += asText(line["line"]) + " " + asText(line["code"]) + "; "
	}
	if !strings.Contains(lines, `3 "invalid_amount"`) || !strings.Contains(lines, `5 "order_conflict"`) {
		t.Errorf("the lines that were not taken: %s", lines)
	}
	if got := figures(a.upload(path+"&dry_run=true", file, http.StatusOK)); got != "5 0 3 1 1 0" {
		t.Errorf("the second dry run says %s", got)
	}
	if held := a.call(http.MethodGet, "/v1/quarantine", nil, http.StatusOK)["items"].([]any); len(held) != 2 {
		t.Errorf("%d lines are in quarantine", len(held))
	}
	a.upload(path, "event,orderid\n", http.StatusUnprocessableEntity)
	a.upload("/v1/conversions/import?advertiser_id=adv_0", file, http.StatusNotFound)
}
