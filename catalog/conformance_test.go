package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// A factory opens a new, empty database for one test.
type factory func(t *testing.T) *database.DB

// conformance is what a catalog does on every database.
var conformance = []struct {
	name string
	test func(t *testing.T, open factory)
}{
	{"chain", testChain},
	{"defaults", testDefaults},
	{"every failed field", testEveryFailedField},
	{"patch", testPatch},
	{"campaign states", testCampaignStates},
	{"campaign status filter", testStatusFilter},
	{"terms versions", testTermsVersions},
	{"terms templates", testTermsTemplates},
	{"participations", testParticipations},
	{"joining", testJoining},
	{"refused joining", testRefusedJoining},
	{"moves of participations", testMoves},
	{"parallel joining", testParallelJoining},
	{"offers", testOffers},
	{"invitations", testInvitations},
	{"patched keys", testPatchKey},
	{"tasks", testTasks},
	{"overdue tasks", testOverdueTasks},
	{"links", testLinks},
	{"slugs", testSlugs},
	{"bulk links", testBulkLinks},
	{"refused links", testRefusedLinks},
	{"task states", testTaskStates},
	{"posts", testPosts},
	{"posts of a task", testPostsOfATask},
	{"drafts", testDrafts},
	{"parallel drafts", testParallelDrafts},
	{"links of posts", testLinksOfPosts},
	{"work of who left", testAbsent},
	{"whom to tell", testOfferedTo},
	{"me", testMe},
	{"post metrics", testPostMetrics},
	{"codes", testCodes},
	{"code names", testCodeNames},
	{"refused codes", testRefusedCodes},
	{"code pool", testCodePool},
	{"parallel code pool", testParallelPool},
	{"outbox", testOutbox},
	{"budget hook", testBudgetHook},
	{"tenants", testTenants},
	{"creators see", testCreatorsSee},
	{"margins", testMargins},
	{"pages", testPages},
	{"filters", testFilters},
	{"archive", testArchive},
	{"keys", testKeys},
	{"first admin key", testFirstAdminKey},
	{"sessions", testSessions},
	{"no session", testNoSession},
	{"idempotency", testIdempotency},
	{"audit log", testAuditLog},
	{"secrets", testSecrets},
	{"feed", testFeed},
	{"feed of credentials", testCredentialFeed},
	{"followers", testFollowers},
	{"parallel writers", testParallelWriters},
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, openSQLite)
		})
	}
}

// TestPostgreSQL has every write undone and tried again, too, but where writers
// meet: there it may be the same one's turn again and again.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			open := openTwice
			if strings.HasPrefix(c.name, "parallel") {
				open = func(t *testing.T) *database.DB { return databasetest.Open(t) }
			}
			c.test(t, open)
		})
	}
}

// TestThroughAPooler sends no prepared statements, as connections that are another's
// in the next transaction ask for.
func TestThroughAPooler(t *testing.T) {
	t.Parallel()
	for _, c := range conformance {
		switch c.name {
		case "chain", "codes", "feed", "filters", "sessions", "pages", "drafts":
			t.Run(c.name, func(t *testing.T) {
				c.test(t, func(t *testing.T) *database.DB {
					return databasetest.OpenDSN(t, databasetest.DSN(t)+" default_query_exec_mode=exec")
				})
			})
		}
	}
}

func openTwice(t *testing.T) *database.DB {
	t.Helper()
	dsn := databasetest.DSN(t)
	databasetest.Twice(t, dsn)
	return databasetest.OpenDSN(t, dsn)
}

func openSQLite(t *testing.T) *database.DB {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t testing.TB, dir string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), database.Embedded, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A clock stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
func (c *clock) at() attribution.Instant { return attribution.Instant(c.ms.Load()) }

var admin = Scope{Role: RoleAdmin, KeyID: "key_admin"}

// A world is a catalog with an advertiser, a creator and a campaign they meet in.
type world struct {
	*Catalog
	t          testing.TB
	ctx        context.Context
	clock      *clock
	advertiser Advertiser
	creator    Creator
	campaign   Campaign
	task       Task
}

func newCatalog(db *database.DB) (*Catalog, *clock) {
	c := &clock{}
	c.ms.Store(instant("2027-01-10T09:00:00Z").Time().UnixMilli())
	return New(db, Options{BaseURL: "https://t.example/", Pepper: []byte("pepper"), Now: c.now}), c
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	catalog, c := newCatalog(db)
	w := &world{Catalog: catalog, t: t, ctx: context.Background(), clock: c}
	w.advertiser = must(w.CreateAdvertiser(w.ctx, admin, acme()))(t)
	w.creator = must(w.CreateCreator(w.ctx, admin, CreatorFields{Name: "Mali"}))(t)
	w.campaign = must(w.CreateCampaign(w.ctx, admin, spring(w.advertiser.ID)))(t)
	must(w.AddCreator(w.ctx, admin, w.campaign.ID, ParticipationFields{CreatorID: w.creator.ID}))(t)
	w.task = must(w.CreateTask(w.ctx, admin, TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok", Fee: "150"}))(t)
	return w
}

func (w *world) asAdvertiser() Scope {
	return Scope{Role: RoleAdvertiser, KeyID: "key_advertiser", AdvertiserID: w.advertiser.ID}
}

func (w *world) asCreator() Scope {
	return Scope{Role: RoleCreator, KeyID: "key_creator", CreatorID: w.creator.ID}
}

func acme() AdvertiserFields {
	return AdvertiserFields{Name: "Acme", Currency: "USD", Timezone: "Asia/Bangkok", Domains: []string{"Shop.example"}}
}

func spring(advertiserID string) CampaignFields {
	return CampaignFields{
		AdvertiserID: advertiserID, Title: "Spring", Kind: "url", Platforms: []string{"instagram", "tiktok"},
		StartsAt: instant("2027-01-01T00:00:00Z"), EndsAt: instant("2027-12-31T00:00:00Z"), Destination: "https://shop.example/p/1",
		Terms: &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.10"}}},
	}
}

func instant(text string) attribution.Instant {
	var at attribution.Instant
	if err := at.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return at
}

// must unwraps the answer of a call that has to succeed.
func must[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused requires a Problem with the code and returns it.
func refused(t *testing.T, err error, code string) *attribution.Problem {
	t.Helper()
	problem, is := attribution.AsProblem(err)
	if !is || problem.Code != code {
		t.Fatalf("want a problem %s, got %v", code, err)
	}
	return problem
}

// failed requires a validation Problem of exactly these fields.
func failed(t *testing.T, err error, locations ...string) {
	t.Helper()
	problem := refused(t, err, attribution.CodeValidation)
	var got []string
	for _, f := range problem.Fields {
		if len(got) == 0 || got[len(got)-1] != f.Location {
			got = append(got, f.Location)
		}
	}
	if strings.Join(got, " ") != strings.Join(locations, " ") {
		t.Errorf("failed fields:\n got %q\nwant %q\n%v", got, locations, problem)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	return string(must(json.Marshal(value))(t))
}

func patchOf(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }
