package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/admin"
	"tributary/catalog"
)

// TestEveryOperationKeepsTenantsApart plays the story of the examples once more and
// has everybody else send each of its requests too, over HTTP to a whole server:
//
//   - without a key: 401;
//   - a role the operation does not name in x-roles, of the tenant itself and of
//     another: 403;
//   - a role it does name, of another tenant: 404 where the path names what is not
//     its own, no success where the body does, and never an answer in which a thing
//     of the tenant is to be read. The same with any one of the ids replaced by
//     that of a thing of its own;
//   - a browser's session without its CSRF token: 403 for all but GET.
//
// A request that changes something is tried before the story sends it, so that the
// story fails if a stranger's did anything; one that reads, after, when there is
// something to see. An operation the story does not play fails the test, and so
// does one that declares no role.
func TestEveryOperationKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	m := newTenancy(t)
	played := map[string]bool{}
	for _, step := range exampleSteps {
		op, reads := m.operations[step.op], m.operations[step.op].method == http.MethodGet
		first := step.op != "" && !played[step.op] && !step.prepares
		if first && !reads {
			m.probe(step, op)
		}
		m.play(step)
		m.makeOwnKeys()
		if first && reads {
			m.probe(step, op)
		}
		played[step.op] = played[step.op] || first
	}
	for id, op := range m.operations {
		if !played[id] {
			t.Errorf("%s %s is not tried: add a step with op %q to exampleSteps", op.method, op.path, id)
		}
	}
	t.Logf("%d operations, %d requests by others: %v", len(played)-1, m.sent, m.outcomes)
}

// A tenancy is the story, and the stranger who listens.
type tenancy struct {
	*exampleRecorder
	roles    map[string][]string          // by operation
	stranger map[string]string            // its things, by the names the story has for its own
	keys     map[string]map[string]string // by tenant (own, other) and role
	sessions map[string]catalog.Session   // by role
	sent     int
	outcomes map[int]int
}

func newTenancy(t *testing.T) *tenancy {
	r := newExampleRecorder(t)
	m := &tenancy{
		exampleRecorder: r, stranger: map[string]string{}, outcomes: map[int]int{}, sessions: map[string]catalog.Session{},
		keys: map[string]map[string]string{"own": {}, "other": {}},
	}
	m.readRoles()
	r.play(exampleSteps[0]) // the clock
	m.makeStranger()
	return m
}

func (m *tenancy) readRoles() {
	m.t.Helper()
	text, err := json.Marshal(m.call(http.MethodGet, "/openapi.json", nil, http.StatusOK))
	if err != nil {
		m.t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Roles       []string `json:"x-roles"`
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		m.t.Fatal(err)
	}
	m.roles = map[string][]string{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			m.roles[op.OperationID] = op.Roles
			if len(op.Roles) == 0 {
				m.t.Errorf("%s %s declares no role", method, path)
			}
			for _, role := range op.Roles {
				if !slices.Contains(allRoles, role) {
					m.t.Errorf("%s %s names the role %q", method, path, role)
				}
			}
		}
	}
}

var allRoles = []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator, catalog.RoleIngest}

// makeStranger makes another advertiser and a creator who works for it alone. The
// creator lives where the story's open campaign is not offered.
func (m *tenancy) makeStranger() {
	s := m.stranger
	s["advertiser"] = m.make("/v1/advertisers", map[string]any{"name": "Stranger", "currency": "USD", "timezone": "UTC", "domains": []string{"stranger.example"}})
	s["creator"] = m.make("/v1/creators", map[string]any{"name": "Nobody", "country": "DE"})
	s["campaign"] = m.make("/v1/campaigns", map[string]any{
		"advertiser_id": s["advertiser"], "title": "Elsewhere", "kind": "url", "platforms": []string{"tiktok"}, "destination": "https://stranger.example/",
		"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z", "track_posts": true,
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}},
	})
	m.call(http.MethodPost, "/v1/campaigns/"+s["campaign"]+"/approve", nil, http.StatusOK)
	m.call(http.MethodPost, "/v1/campaigns/"+s["campaign"]+"/creators", map[string]any{"creator_id": s["creator"]}, http.StatusCreated)
	s["task"] = m.make("/v1/tasks", map[string]any{"campaign_id": s["campaign"], "creator_id": s["creator"], "platform": "tiktok"})
	s["link"] = m.make("/v1/tasks/"+s["task"]+"/links", map[string]any{})
	s["code"] = m.make("/v1/tasks/"+s["task"]+"/codes", map[string]any{"code": "ELSEWHERE"})
	s["webhook"] = m.make("/v1/webhooks", map[string]any{"advertiser_id": s["advertiser"], "url": m.kept["receiver"], "events": []string{"campaign.*"}})
	m.keys["other"] = m.makeKeys(s["advertiser"], s["creator"])
	for role, key := range map[string]string{
		catalog.RoleAdmin: m.key, catalog.RoleAdvertiser: m.keys["other"][catalog.RoleAdvertiser], catalog.RoleCreator: m.keys["other"][catalog.RoleCreator],
	} {
		session, err := m.things.SignIn(m.t.Context(), key, time.Now())
		if err != nil {
			m.t.Fatal(err)
		}
		m.sessions[role] = session
	}
}

// makeOwnKeys gives the story's tenant a key of every role, once it is there.
func (m *tenancy) makeOwnKeys() {
	if len(m.keys["own"]) == 0 && m.kept["advertiser"] != "" && m.kept["creator"] != "" {
		m.keys["own"] = m.makeKeys(m.kept["advertiser"], m.kept["creator"])
	}
}

func (m *tenancy) makeKeys(advertiser, creator string) map[string]string {
	keys := map[string]string{}
	for role, of := range map[string]map[string]any{
		catalog.RoleAdvertiser: {"advertiser_id": advertiser}, catalog.RoleIngest: {"advertiser_id": advertiser}, catalog.RoleCreator: {"creator_id": creator},
	} {
		of["role"] = role
		keys[role], _ = m.call(http.MethodPost, "/v1/keys", of, http.StatusCreated)["key"].(string)
	}
	return keys
}

// sharedOperations show what is the operator's and for everybody to see.
var sharedOperations = []string{"get-terms-template", "list-terms-templates"}

// invitingOperations ask creators into a campaign, by id or by the operator's labels.
var invitingOperations = []string{"add-creator", "invite-creators"}

// probe has everybody send a step's request who may not, or may not for this tenant.
func (m *tenancy) probe(step exampleStep, op exampleOperation) {
	m.t.Helper()
	if m.kept["receiver"] == "" {
		m.t.Fatal("the story has not begun")
	}
	request := tenancyRequest{step: step, op: op, path: m.fill(step.path), body: m.fill(step.body), foreign: m.foreignNames(step)}
	m.expect(request, "nobody", http.Header{}, http.StatusUnauthorized)
	m.expect(request, "a made-up key", bearer("trb_"+strings.Repeat("x", 40)), http.StatusUnauthorized)
	for tenant, keys := range m.keys {
		for role, key := range keys {
			who := fmt.Sprintf("%s of the %s tenant", role, tenant)
			switch {
			case !slices.Contains(m.roles[step.op], role):
				m.expect(request, who, bearer(key), http.StatusForbidden)
			case tenant == "own":
				admitted := request
				admitted.path = withParameter(request.path, "no_such_parameter=1") // heard, without doing anything
				m.expect(admitted, who, bearer(key), http.StatusUnprocessableEntity)
			default:
				m.strangerAsks(request, who, key)
			}
		}
	}
	if op.method == http.MethodGet {
		return
	}
	for role, session := range m.sessions {
		for _, token := range []string{"", session.Token} {
			header := http.Header{"Cookie": {admin.SessionCookie + "=" + session.Token + "; " + admin.CSRFCookie + "=" + session.CSRF}}
			if token != "" {
				header.Set(admin.CSRFHeader, token)
			}
			m.expect(request, fmt.Sprintf("a session of %s with the CSRF token %q", role, token), header, http.StatusForbidden)
		}
	}
}

// strangerAsks sends what another tenant may ask, but not about this one: the
// request itself, without its query, and with each of its ids in turn replaced by
// one of the stranger's own. But whoever knows a creator's id may invite it to a
// campaign of its own: creators belong to no advertiser.
func (m *tenancy) strangerAsks(request tenancyRequest, who, key string) {
	m.t.Helper()
	m.apart(request, who, key)
	if bare := pathOf(request.path); bare != request.path && request.op.method == http.MethodGet {
		m.apart(tenancyRequest{step: request.step, op: request.op, path: bare, body: request.body, foreign: request.foreign}, who, key)
	}
	for _, name := range request.foreign {
		theirs, has := m.stranger[name]
		if !has {
			continue
		}
		mixed := request
		mixed.path, mixed.body = strings.ReplaceAll(request.path, m.kept[name], theirs), strings.ReplaceAll(request.body, m.kept[name], theirs)
		mixed.body = strings.ReplaceAll(mixed.body, `"order_id":"1`, `"order_id":"9`) // an order of its own
		mixed.foreign = slices.DeleteFunc(slices.Clone(request.foreign), func(n string) bool { return n == name })
		if invites := name == "campaign" && slices.Contains(invitingOperations, request.step.op); len(mixed.foreign) > 0 && !invites {
			m.apart(mixed, who+", with a "+name+" of its own", key)
		}
	}
}

type tenancyRequest struct {
	step       exampleStep
	op         exampleOperation
	path, body string
	foreign    []string // what of the story's it names
}

// foreignNames are the things of the tenant a step names; templates are everybody's.
func (m *tenancy) foreignNames(step exampleStep) (names []string) {
	for _, name := range keptName.FindAllString(step.path+step.body, -1) {
		if name = name[1:]; name != "template" && name != "receiver" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// apart sends a request of another tenant and holds the answer to what the
// stranger may learn and do: nothing.
func (m *tenancy) apart(request tenancyRequest, who, key string) {
	m.t.Helper()
	status, answer := m.send(request, bearer(key))
	said := fmt.Sprintf("%s %s %s by %s is answered %d %.600s", request.op.method, request.path, request.body, who, status, answer)
	refused := status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusUnprocessableEntity
	switch named := m.named(request, pathOf(request.path)); {
	case slices.Contains(sharedOperations, request.step.op):
	case status >= 500:
		m.t.Error(said)
	case request.step.op == "add-creator" && refused: // who asks to join is told why it may not
	case named && status != http.StatusNotFound:
		m.t.Errorf("%s, not 404", said)
	case request.op.method == http.MethodGet && status != http.StatusOK && !refused:
		m.t.Error(said)
	case request.op.method != http.MethodGet && m.named(request, request.path+request.body) && !refused && !nothingDone(answer):
		m.t.Errorf("%s: it was done", said)
	}
	for name, secret := range m.secrets() {
		if bytes.Contains(answer, []byte(secret)) && !((refused || nothingDone(answer)) && strings.Contains(request.path+request.body, strings.Trim(secret, `"`))) {
			m.t.Errorf("%s: it tells %s %s", said, name, secret)
		}
	}
}

// named reports whether a text holds an id of the story's tenant.
func (m *tenancy) named(request tenancyRequest, text string) bool {
	return slices.ContainsFunc(request.foreign, func(name string) bool { return strings.Contains(text, m.kept[name]) })
}

// nothingDone reports whether an answer of success says that nothing was done: a
// bulk call refuses each item, an order is not attributed to another's click.
func nothingDone(answer []byte) bool {
	var bulk struct {
		Results    []struct{ Status string }
		Replayed   *int
		Attributed *bool
	}
	if json.Unmarshal(answer, &bulk) != nil {
		return false
	}
	created := false
	for _, result := range bulk.Results {
		created = created || result.Status == "created"
	}
	return !created && (len(bulk.Results) > 0 || bulk.Replayed != nil && *bulk.Replayed == 0 || bulk.Attributed != nil && !*bulk.Attributed)
}

// secrets are what nobody else may read: ids, keys, names, orders.
func (m *tenancy) secrets() map[string]string {
	secrets := map[string]string{
		"the advertiser": "Acme", "its domain": "acme.example", "the campaign": "Spring boots", "the creator": "Mali", "the address": "mali@creators.example",
		"the account": "0012345678", "the code": "MALI10", "a pooled code": "BOOTS-", "the slug": "mali-boots", "a handle": `"mali"`,
	}
	for _, order := range []string{"1001", "1002", "1003", "1004", "1005", "1999"} {
		secrets["order "+order] = `"` + order + `"`
	}
	for name, value := range m.kept {
		if name != "template" && name != "receiver" {
			secrets["$"+name] = value
		}
	}
	return secrets
}

func (m *tenancy) expect(request tenancyRequest, who string, header http.Header, want int) {
	m.t.Helper()
	if status, answer := m.send(request, header); status != want {
		m.t.Errorf("%s %s by %s is answered %d, want %d: %.600s", request.op.method, request.path, who, status, want, answer)
	}
}

func bearer(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }

func withParameter(path, parameter string) string {
	if strings.Contains(path, "?") {
		return path + "&" + parameter
	}
	return path + "?" + parameter
}

// silence is how long a stream is listened to which must tell nothing.
const silence = 2 * time.Second

// send sends a request and reads the answer; a stream's until it tells a click of
// the stranger, which is made after one of the story's, or for a while if it is
// asked for the story's alone.
func (m *tenancy) send(request tenancyRequest, header http.Header) (status int, answer []byte) {
	m.t.Helper()
	patience, silent := 30*time.Second, request.step.during != nil && m.named(request, request.path)
	if silent {
		patience = silence
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, request.op.method, "http://"+m.adminListener.Addr().String()+request.path, strings.NewReader(request.body))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header = header.Clone()
	if mediaType := mediaTypeOf(request.step, request.op.method); mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	response, err := m.http.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	m.sent++
	m.outcomes[response.StatusCode]++
	if response.StatusCode == http.StatusOK && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return response.StatusCode, m.overhear(response.Body, silent)
	}
	if answer, err = io.ReadAll(response.Body); err != nil {
		m.t.Fatalf("%s %s: %v", request.op.method, request.path, err)
	}
	return response.StatusCode, answer
}

func (m *tenancy) overhear(stream io.Reader, silent bool) (heard []byte) {
	m.t.Helper()
	for _, link := range []string{m.kept["vanity"], m.stranger["link"]} {
		m.call(http.MethodPost, "/v1/sandbox/click", map[string]any{"link_id": link}, http.StatusCreated)
	}
	piece := make([]byte, 4096)
	for !bytes.Contains(heard, []byte(m.stranger["link"])) {
		n, err := stream.Read(piece)
		heard = append(heard, piece[:n]...)
		if err != nil && silent {
			return heard
		}
		if err != nil {
			m.t.Errorf("the stream tells no click of the stranger's: %q: %v", heard, err)
			return heard
		}
	}
	return heard
}
