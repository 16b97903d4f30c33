package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tributary/catalog"
)

// documented reads the operations of the OpenAPI document.
func documented(t *testing.T) map[string]documentedOperation {
	t.Helper()
	text, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]documentedOperation
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	operations := map[string]documentedOperation{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			operations[op.OperationID] = op
		}
	}
	return operations
}

type documentedOperation struct {
	OperationID string
	Roles       []string `json:"x-roles"`
	Security    []map[string][]string
	Parameters  []struct{ Name, In string }

	method, path string
}

func TestEveryOperationDeclaresItsRoles(t *testing.T) {
	known := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator, catalog.RoleIngest}
	for id, op := range documented(t) {
		if len(op.Roles) == 0 || len(op.Security) == 0 {
			t.Errorf("%s (%s %s) declares no roles", id, op.method, op.path)
		}
		for _, role := range op.Roles {
			if !slices.Contains(known, role) {
				t.Errorf("%s: unknown role %s", id, role)
			}
		}
		if op.method == http.MethodPost && !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == "Idempotency-Key" }) {
			t.Errorf("%s does not document Idempotency-Key", id)
		}
	}
}

// bodies are what the matrix sends, by operation.
func bodies(w world) map[string]string {
	return map[string]string{
		"create-advertiser":      `{"name":"B","currency":"USD","timezone":"UTC","domains":["b.example"]}`,
		"patch-advertiser":       `{"name":"Acme 2"}`,
		"create-creator":         `{"name":"B"}`,
		"patch-creator":          `{"gender":"f"}`,
		"create-campaign":        strings.Replace(worldCampaign, "%s", w.advertiser, 1),
		"patch-campaign":         `{"title":"Summer"}`,
		"patch-campaign-creator": `{"tier":"preferred"}`,
		"invite-creators":        `{"creator_ids":["` + w.creator + `"]}`,
		"create-task":            `{"campaign_id":"` + w.campaign + `","creator_id":"` + w.creator + `","platform":"tiktok"}`,
		"patch-task":             `{"status":"submitted"}`,
		"create-link":            `{"label":"bio"}`,
		"create-links":           `{"items":[{"task_id":"` + w.task + `"}]}`,
		"patch-link":             `{"label":"story"}`,
		"create-code":            `{}`,
		"patch-code":             `{"ends_at":"2100-01-01T00:00:00Z"}`,
		"create-post":            `{"url":"https://www.tiktok.com/@mali/video/2"}`,
		"patch-post":             `{"url":"https://www.tiktok.com/@mali/video/3"}`,
		"create-draft":           `{"text":"And this","asset_urls":["https://files.example/1.jpg"]}`,
		"return-draft":           `{"reason":"Name the product"}`,
		"create-post-metrics":    `{"likes":3}`,
		"fill-code-pool":         "POOL-1\n",
		"create-terms-template":  `{"name":"Other","terms":{"events":{"sale":{"type":"flat","amount":"1"}}}}`,
		"patch-terms-template":   `{"name":"Better"}`,
		"create-secret":          `{"kind":"postback"}`,
		"patch-key":              `{"name":"shop"}`,
		"create-key":             `{"role":"ingest","advertiser_id":"` + w.advertiser + `"}`,
	}
}

// idOf is the {id} of a path, by the thing the path begins with.
func (w world) idOf(path string) string {
	switch thing := strings.Split(path, "/")[2]; thing {
	case "advertisers":
		return w.advertiser
	case "creators":
		return w.creator
	case "campaigns":
		return w.campaign
	case "tasks":
		return w.task
	case "links":
		return w.link
	case "codes":
		return w.code
	case "posts":
		return w.post
	case "drafts":
		return w.draft
	case "terms-templates":
		return w.template
	default:
		return w.key
	}
}

// TestRoleMatrix calls every operation with everybody's key. Whoever has no key
// gets 401, who has another role 403, another tenant 404, and an empty list
// where the operation names nothing.
func TestRoleMatrix(t *testing.T) {
	b := newBench(t, nil)
	stranger := b.world()
	shared := map[string]bool{"list-terms-templates": true, "get-terms-template": true} // the operator's, for all
	for id, op := range documented(t) {
		t.Run(id, func(t *testing.T) {
			b := b.in(t)
			w := b.world()
			body, hasBody := bodies(w)[id]
			if (op.method == http.MethodPatch || strings.HasPrefix(id, "create-")) && !hasBody {
				t.Fatalf("the matrix knows no body for %s", id)
			}
			// Refused callers come first: they leave the world as it was.
			for _, caller := range []struct {
				role, key string
				own       bool
			}{
				{"", "", false},
				{"", "trb_" + strings.Repeat("x", 40), false},
				{catalog.RoleIngest, w.ingestKey, true},
				{catalog.RoleCreator, stranger.creatorKey, false},
				{catalog.RoleAdvertiser, stranger.advertiserKey, false},
				{catalog.RoleCreator, w.creatorKey, true},
				{catalog.RoleAdvertiser, w.advertiserKey, true},
				{catalog.RoleAdmin, b.root, true},
			} {
				w := w
				if caller.own && slices.Contains(op.Roles, caller.role) {
					w = b.world() // what one caller archives is there for the next
					caller.key = map[string]string{catalog.RoleCreator: w.creatorKey, catalog.RoleAdvertiser: w.advertiserKey, catalog.RoleAdmin: b.root, catalog.RoleIngest: w.ingestKey}[caller.role]
					body = bodies(w)[id]
				}
				switch id {
				case "approve-campaign":
					w.campaign = b.make("/v1/campaigns", strings.Replace(worldCampaign, "%s", w.advertiser, 1))
				case "resume-campaign":
					_ = b.send(b.root, "POST", "/v1/campaigns/"+w.campaign+"/pause", "") // it may be paused already
				case "add-creator":
					body = `{"creator_id":"` + b.make("/v1/creators", `{"name":"New"}`) + `"}`
					if caller.role == catalog.RoleCreator {
						body = `{}` // itself
					}
				case "patch-campaign-creator":
					if caller.role == catalog.RoleCreator {
						body = `{"status":"unavailable"}`
					}
				case "create-draft":
					w.task = b.make("/v1/tasks", bodies(w)["create-task"])
				}
				path := strings.NewReplacer("{id}", w.idOf(op.path), "{creator_id}", w.creator, "{secret_id}", w.secret).Replace(op.path)
				b.checkCaller(op, caller.role, caller.own || shared[id], b.send(caller.key, op.method, path, body, "Content-Type", mediaTypeOf(body)), w)
			}
		})
	}
}

// mediaTypeOf is how a body of the matrix is sent: as a file unless it is JSON.
func mediaTypeOf(body string) string {
	if body != "" && body[0] != '{' {
		return "text/csv"
	}
	return "application/json"
}

func (b *bench) checkCaller(op documentedOperation, role string, own bool, r *reply, w world) {
	b.t.Helper()
	switch {
	case role == "":
		r.problem(401, catalog.CodeUnauthorized)
		if r.header.Get("WWW-Authenticate") == "" {
			b.t.Error("401 without WWW-Authenticate")
		}
	case !slices.Contains(op.Roles, role):
		r.problem(403, "forbidden")
	case own:
		if r.status < 200 || r.status > 299 {
			b.t.Errorf("%s (own) got %d: %s", role, r.status, r.body)
		}
	case strings.Contains(op.path, "{"):
		r.problem(404, "not_found")
	case op.method == http.MethodGet:
		r.want(200)
		for _, foreign := range []string{w.advertiser, w.creator, w.campaign, w.task, w.link} {
			if strings.Contains(string(r.body), foreign) {
				b.t.Errorf("%s (other) sees %s: %s", role, foreign, r.body)
			}
		}
	case op.OperationID == "create-links":
		if r.want(200); strings.Contains(string(r.body), `"created"`) {
			b.t.Errorf("%s (other) made a link: %s", role, r.body)
		}
	default:
		if r.status != 403 && r.status != 404 && r.status != 422 {
			b.t.Errorf("%s (other) got %d: %s", role, r.status, r.body)
		}
	}
}
