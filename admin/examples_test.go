package admin

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExamplesAreShown(t *testing.T) {
	b := newBench(t, nil)
	page := string(b.send("", "GET", "/docs", "").want(200).body)
	for _, piece := range []string{"curl -X POST &#39;http://127.0.0.1:8081/v1/advertisers&#39;", "Bearer $KEY", "Acme Shoes", "Content-Type: application/merge-patch&#43;json"} {
		if !strings.Contains(page, piece) {
			t.Errorf("the docs lack %s", piece)
		}
	}
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Example json.RawMessage }
			}
			Responses map[string]struct {
				Content map[string]struct{ Example json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(b.send("", "GET", "/openapi.json", "").want(200).body, &document); err != nil {
		t.Fatal(err)
	}
	made := document.Paths["/v1/advertisers"]["post"]
	if sent := made.RequestBody.Content["application/json"].Example; !strings.Contains(string(sent), "Acme Shoes") {
		t.Errorf("the example of a request is %s", sent)
	}
	if got := made.Responses["201"].Content["application/json"].Example; !strings.Contains(string(got), "public_key") {
		t.Errorf("the example of an answer is %s", got)
	}
}

func TestExamplesAsCommands(t *testing.T) {
	for _, c := range []struct {
		method  string
		example Example
		want    string
	}{
		{"GET", Example{Path: "/v1/links?limit=1"}, `curl 'http://127.0.0.1:8081/v1/links?limit=1' \` + "\n" + `  -H "Authorization: Bearer $KEY"`},
		{"POST", Example{Path: "/v1/x", MediaType: "application/json", Body: json.RawMessage(`{"text":"it's"}`)},
			`curl -X POST 'http://127.0.0.1:8081/v1/x' \` + "\n" + `  -H "Authorization: Bearer $KEY" \` + "\n" + `  -H 'Content-Type: application/json' \` + "\n" + `  -d '{` + "\n" + `  "text": "it'\''s"` + "\n}'"},
		{"POST", Example{Path: "/v1/x", MediaType: "text/csv", Body: json.RawMessage(`"code\nA\n"`)},
			`curl -X POST 'http://127.0.0.1:8081/v1/x' \` + "\n" + `  -H "Authorization: Bearer $KEY" \` + "\n" + `  -H 'Content-Type: text/csv' \` + "\n" + `  --data-binary 'code` + "\nA\n'"},
	} {
		if got := c.example.curl(c.method); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}
