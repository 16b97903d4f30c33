package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"tributary/attribution"
	"tributary/catalog"
)

func TestEveryRefusalIsAProblem(t *testing.T) {
	b := newBench(t, nil)
	const good = `{"name":"Acme","currency":"USD","timezone":"UTC","domains":["a.example"]}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, locations, detail  string
		header                   []string
	}{
		{name: "unknown path", method: "GET", path: "/v1/nonsense", status: 404, code: "not_found", detail: "/docs"},
		{name: "root", method: "GET", path: "/", status: 404, code: "not_found"},
		{name: "unknown thing", method: "GET", path: "/v1/campaigns/cmp_0", status: 404, code: "not_found"},
		{name: "wrong method", method: "PUT", path: "/v1/advertisers", body: good, status: 405, code: codeMethodNotAllowed, detail: "POST"},
		{name: "no body", method: "POST", path: "/v1/advertisers", status: 400, code: codeMalformedJSON, detail: "a JSON body is required"},
		{name: "not JSON", method: "POST", path: "/v1/advertisers", body: "{\n  \"name\": oops}", status: 400, code: codeMalformedJSON, detail: "byte 13 (line 2, column 11)"},
		{name: "half of JSON", method: "POST", path: "/v1/advertisers", body: `{"name":`, status: 400, code: codeMalformedJSON, detail: "ends too early"},
		{name: "more than JSON", method: "POST", path: "/v1/advertisers", body: good + "{}", status: 400, code: codeMalformedJSON, detail: "something follows"},
		{name: "not UTF-8", method: "POST", path: "/v1/advertisers", body: "{\"name\":\"\xff\"}", status: 400, code: codeMalformedJSON, detail: "byte 10"},
		{name: "not an object", method: "POST", path: "/v1/advertisers", body: `[1]`, status: 422, code: "validation", locations: "body"},
		{name: "null", method: "POST", path: "/v1/advertisers", body: `null`, status: 422, code: "validation", locations: "body"},
		{name: "a form", method: "POST", path: "/v1/advertisers", body: good, header: []string{"Content-Type", "application/x-www-form-urlencoded"},
			status: 415, code: codeUnsupportedMediaType, detail: "application/json"},
		{name: "a merge patch to POST", method: "POST", path: "/v1/advertisers", body: good, header: []string{"Content-Type", "application/merge-patch+json"},
			status: 415, code: codeUnsupportedMediaType},
		{name: "too large", method: "POST", path: "/v1/advertisers", body: `"` + strings.Repeat("x", MaxBodyBytes) + `"`, status: 413, code: codeBodyTooLarge},
		{name: "every wrong shape", method: "POST", path: "/v1/campaigns",
			body:   `{"title":7,"Kind":"url","colour":"red","starts_at":"tomorrow","budget":{"amount":true,"sum":1},"platforms":"x","terms":{"events":{"sale":[]},"caps":[{"scope":1}]}}`,
			status: 422, code: "validation",
			locations: "body.Kind body.budget.amount body.budget.sum body.colour body.platforms body.starts_at body.terms.caps[0].scope body.terms.events.sale body.title"},
		{name: "every wrong value", method: "POST", path: "/v1/advertisers", body: `{"name":"","currency":"XXX","timezone":"Mars","domains":[]}`,
			status: 422, code: "validation", locations: "body.currency body.domains body.name body.timezone"},
		{name: "NUL", method: "POST", path: "/v1/creators", body: `{"name":"a\u0000","payout_details":{"x":["\u0000"]}}`,
			status: 422, code: "validation", locations: "body.name body.payout_details.x[0]"},
		{name: "limit", method: "GET", path: "/v1/links?limit=1001", status: 422, code: "validation", locations: "query.limit"},
		{name: "limit and filter", method: "GET", path: "/v1/campaigns?limit=x&status=running", status: 422, code: "validation", locations: "query.limit query.status"},
		{name: "unknown filter", method: "GET", path: "/v1/links?taskid=1", status: 422, code: "validation", locations: "query.taskid"},
		{name: "cursor", method: "GET", path: "/v1/links?cursor=nonsense", status: 422, code: "validation", locations: "query.cursor"},
		{name: "NUL in the path", method: "GET", path: "/v1/links/%00", status: 400, code: codeMalformedURL},
		{name: "not text in the query", method: "GET", path: "/v1/links?slug=%ff", status: 400, code: codeMalformedURL},
		{name: "unreadable query", method: "GET", path: "/v1/links?slug=%zz", status: 400, code: codeMalformedURL},
		{name: "empty links", method: "POST", path: "/v1/links/bulk", body: `{"items":[]}`, status: 422, code: "validation", locations: "body.items"},
		{name: "nothing accepted", method: "GET", path: "/v1/links?limit=0", header: []string{"Accept", "text/html"}, status: 422, code: "validation", locations: "query.limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := b.in(t).send(b.root, c.method, c.path, c.body, c.header...).problem(c.status, c.code)
			if got := sortedWords(p.locations()); got != c.locations {
				t.Errorf("fields %q, want %q", got, c.locations)
			}
			if !strings.Contains(p.Detail, c.detail) {
				t.Errorf("detail %q, want %q in it", p.Detail, c.detail)
			}
		})
	}
}

func TestMethodNotAllowedNamesTheAllowed(t *testing.T) {
	b := newBench(t, nil)
	r := b.send("", "PUT", "/v1/advertisers", "")
	r.problem(405, codeMethodNotAllowed)
	if got := r.header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow %q", got)
	}
}

type brokenInput struct {
	How string `query:"how"`
}

// broken is an operation with the faults that machines have.
func broken(a *API) {
	Register(a, Operation{ID: "break", Method: http.MethodGet, Path: "/v1/break", Tag: "Test", Summary: "Break", Roles: []string{catalog.RoleAdmin}},
		func(_ context.Context, in *brokenInput) (*nothing, error) {
			switch in.How {
			case "panic":
				panic("the password is 1234")
			case "error":
				return nil, errors.New("the password is 1234")
			case "late":
				return nil, context.DeadlineExceeded
			default:
				return nil, &attribution.Problem{Code: "some_rule", Detail: "a rule of yours"}
			}
		})
}

func TestFaultsKeepTheirInternals(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Routes = []Routes{broken} })
	for how, status := range map[string]int{"panic": 500, "error": 500, "late": 503, "rule": 422} {
		code := map[int]string{500: codeInternal, 503: codeTimeout, 422: "some_rule"}[status]
		r := b.send(b.root, "GET", "/v1/break?how="+how, "", "X-Request-Id", "req-"+how)
		r.problem(status, code)
		if strings.Contains(string(r.body), "1234") {
			t.Errorf("%s: internals in the answer: %s", how, r.body)
		}
		if status == 500 && !(strings.Contains(string(r.body), "req-"+how) && strings.Contains(b.log.String(), "req-"+how)) {
			t.Errorf("%s: the answer and the log do not share the request's id", how)
		}
	}
	if !strings.Contains(b.log.String(), "the password is 1234") {
		t.Error("the log lacks the reason")
	}
	if strings.Contains(b.log.String(), b.root) {
		t.Error("the log has a key")
	}
	b.send(b.root, "GET", "/v1/advertisers", "").want(200)
}

// TestPanicLeavesNothingBehind: neither a half-done write nor a claim on the
// Idempotency-Key.
func TestPanicLeavesNothingBehind(t *testing.T) {
	fall := true
	b := newBench(t, func(o *Options) {
		o.Routes = []Routes{func(a *API) {
			Register(a, Operation{ID: "fall", Method: http.MethodPost, Path: "/v1/fall", Tag: "Test", Summary: "Fall", Roles: []string{catalog.RoleAdmin}},
				func(ctx context.Context, in *makeInput[catalog.CreatorFields]) (*Answer[catalog.Creator], error) {
					creator, err := o.Catalog.CreateCreator(ctx, ScopeOf(ctx), in.Value())
					if fall {
						panic("fell")
					}
					return Answered(creator, err)
				})
		}}
	})
	b.send(b.root, "POST", "/v1/fall", `{"name":"Mali"}`, "Idempotency-Key", "k").problem(500, codeInternal)
	if got := string(b.send(b.root, "GET", "/v1/creators", "").want(200).body); got != `{"items":[]}`+"\n" {
		t.Errorf("left behind: %s", got)
	}
	fall = false
	b.send(b.root, "POST", "/v1/fall", `{"name":"Mali"}`, "Idempotency-Key", "k").want(200)
}

func TestOperationWithoutRolesPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an operation for nobody was registered")
		}
	}()
	_, _ = OpenAPI(func(a *API) {
		Register(a, Operation{ID: "x", Method: "GET", Path: "/v1/x"}, func(context.Context, *nothing) (*nothing, error) { return nil, nil })
	})
}
