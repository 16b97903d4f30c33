package admin

import (
	"strings"
	"testing"

	"tributary/catalog"
)

func TestCodeOfATask(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	made := b.send(w.creatorKey, "POST", "/v1/tasks/"+w.task+"/codes", `{"code":"Mali10","ends_at":"2100-01-01T00:00:00Z"}`).want(201)
	id := made.text("id")
	if got := made.header.Get("Location"); got != "/v1/codes/"+id {
		t.Errorf("Location %q", got)
	}
	for field, want := range map[string]string{"code": "Mali10", "task_id": w.task, "campaign_id": w.campaign, "creator_id": w.creator, "platform": "tiktok", "ends_at": "2100-01-01T00:00:00.000Z"} {
		if got := made.text(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	b.send(b.root, "POST", "/v1/tasks/"+w.task+"/codes", `{"code":"mali10"}`).problem(409, catalog.CodeCodeTaken)
	if items := b.send(w.advertiserKey, "GET", "/v1/codes?code=MALI10", "").want(200).object()["items"].([]any); len(items) != 1 {
		t.Errorf("found %d codes", len(items))
	}
	b.send(w.creatorKey, "PATCH", "/v1/codes/"+id, `{"code":"Other"}`).problem(422, "validation")
	b.send(w.creatorKey, "DELETE", "/v1/codes/"+id, "").want(204)
	b.send(b.root, "POST", "/v1/tasks/"+w.task+"/codes", `{"code":"Mali10"}`).problem(409, catalog.CodeCodeTaken)
}

func TestCodePoolIsUploadedAsBodyOrForm(t *testing.T) {
	b := newBench(t, nil)
	w := b.world()
	path := "/v1/campaigns/" + w.campaign + "/code-pool"
	form := strings.ReplaceAll("--x\nContent-Disposition: form-data; name=\"note\"\n\nhello\n--x\n"+
		"Content-Disposition: form-data; name=\"file\"; filename=\"codes.csv\"\nContent-Type: text/csv\n\ncode\nA-1\nA 2\n--x--\n", "\n", "\r\n")
	dry := b.send(w.advertiserKey, "POST", path+"?dry_run=true", form, "Content-Type", "multipart/form-data; boundary=x").want(200).object()
	if dry["added"] != 1.0 || dry["dry_run"] != true || len(dry["errors"].([]any)) != 1 {
		t.Errorf("the dry run says %v", dry)
	}
	if pool := b.send(w.advertiserKey, "GET", path, "").want(200).object(); pool["total"] != 0.0 {
		t.Errorf("after a dry run the pool is %v", pool)
	}
	b.send(w.advertiserKey, "POST", path, "A-1\n", "Content-Type", "text/csv; charset=utf-8").want(200)
	if code := b.send(w.creatorKey, "POST", "/v1/tasks/"+w.task+"/codes", `{}`).want(201).text("code"); code != "A-1" {
		t.Errorf("the code is %s", code)
	}
	b.send(w.creatorKey, "POST", "/v1/tasks/"+w.task+"/codes", `{}`).problem(409, catalog.CodeCodePoolEmpty)
	b.send(w.advertiserKey, "POST", path, "", "Content-Type", "text/csv").problem(422, "validation")
	for _, broken := range []string{"--x\r\n", "nothing", "--x--\r\n"} {
		b.send(w.advertiserKey, "POST", path, broken, "Content-Type", "multipart/form-data; boundary=x").problem(422, "validation")
	}
}
