package catalog

import (
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

func testLinks(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	expiry := w.clock.at() + 1000
	fields := LinkFields{
		Slug: "Mali_Spring-10", Destination: "https://www.shop.example/x?a={click_id}#f", Sub1: "a b", Sub5: "é", Label: "bio", MaxClicks: 9, ExpiresAt: &expiry,
		Rules: []attribution.DestinationRule{{When: attribution.RuleWhen{Countries: []string{"TH"}, Query: map[string]string{"x": ""}}, Destination: "https://shop.example/th"}},
		Split: []attribution.SplitArm{{Destination: "https://shop.example/a", Weight: 1}, {Destination: "https://shop.example/b", Weight: 10_000}},
	}
	link := must(w.CreateLink(w.ctx, w.asCreator(), w.task.ID, fields))(t)
	equal(t, "stored", asJSON(t, must(w.Link(w.ctx, w.asCreator(), link.ID))(t)), asJSON(t, link))
	equal(t, "fields", asJSON(t, link.LinkFields), asJSON(t, fields))
	w.clock.advance(time.Hour)
	must(w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"label":"story"}`)))(t) // an expiry that has passed does not stand in the way

	ok(t, w.DeleteLink(w.ctx, w.asCreator(), link.ID))
	ok(t, w.DeleteLink(w.ctx, w.asCreator(), link.ID))
	deleted := must(w.Link(w.ctx, admin, link.ID))(t)
	if deleted.ArchivedAt == nil || *deleted.ArchivedAt != w.clock.at() {
		t.Errorf("archived_at of a deleted link: %v", deleted.ArchivedAt)
	}
	_, err := w.PatchLink(w.ctx, admin, link.ID, patchOf(`{"label":"x"}`))
	refused(t, err, attribution.CodeConflict)
	equal(t, "links", len(must(w.Links(w.ctx, admin, LinkFilter{}, Page{}))(t).Items), 0)
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: "mali_spring-10"})
	refused(t, err, attribution.CodeSlugTaken)
}

func testSlugs(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	for _, slug := range []string{"ab", strings.Repeat("x", 65), "a.b", "ä12", "robots.txt", "HEALTHZ", "admin", "Api"} {
		_, err := w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: slug})
		failed(t, err, "body.slug")
	}
	must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: "Spring"}))(t)
	_, err := w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: "sPRING"})
	problem := refused(t, err, attribution.CodeSlugTaken)
	if !strings.Contains(problem.Detail, "sPRING") {
		t.Errorf("the refusal does not name the slug: %s", problem.Detail)
	}
	random := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Slug: strings.ToUpper(random.Slug)})
	refused(t, err, attribution.CodeSlugTaken)
	equal(t, "unambiguous", strings.Trim(random.Slug, slugAlphabet), "")
}

// repeated is entropy that says the same a few times before it goes on.
type repeated struct{ calls int }

func (r *repeated) Read(b []byte) (int, error) {
	r.calls++
	for i := range b {
		b[i] = byte(r.calls / 4 * 7)
	}
	return len(b), nil
}

func TestTakenRandomSlugIsDrawnAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openSQLite(t))
	w.entropy.source = &repeated{}
	slugs := map[string]bool{}
	for range 5 {
		made := must(w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{}))(t)
		slugs[strings.ToLower(made.Slug)] = true
		w.clock.advance(time.Millisecond)
	}
	equal(t, "slugs", len(slugs), 5)
}

func testBulkLinks(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	before := through(w)
	results := must(w.CreateLinks(w.ctx, w.asCreator(), []LinkRequest{
		{w.task.ID, LinkFields{}}, {"tsk_x", LinkFields{}}, {w.task.ID, LinkFields{Slug: "vanity"}}, {w.task.ID, LinkFields{Slug: "Vanity"}},
		{w.task.ID, LinkFields{Destination: "nowhere"}}, {w.task.ID, LinkFields{Label: "last"}},
	}))(t)
	codes := []string{"", attribution.CodeNotFound, "", attribution.CodeSlugTaken, attribution.CodeValidation, ""}
	for i, result := range results {
		code := ""
		if result.Problem != nil {
			code = result.Problem.Code
		}
		equal(t, "code", code, codes[i])
		equal(t, "has a link", result.Link != nil, code == "")
	}
	changes := must(w.RoutesSince(w.ctx, before, 100))(t)
	equal(t, "changes", len(changes), 3)
	equal(t, "audited", len(must(w.AuditLog(w.ctx, admin, AuditFilter{Thing: "link"}, Page{}))(t).Items), 3)
	_, err := w.CreateLinks(w.ctx, admin, make([]LinkRequest, MaxBulk+1))
	failed(t, err, "body")
	_, err = w.CreateLinks(w.ctx, admin, nil)
	failed(t, err, "body")
}

func testRefusedLinks(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	_, err := w.CreateLink(w.ctx, admin, "tsk_x", LinkFields{})
	refused(t, err, attribution.CodeNotFound)
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"tracking":false}`)))(t)
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{})
	refused(t, err, attribution.CodeTrackingDisabled)
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"tracking":true,"kind":"social","destination":null}`)))(t)
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{})
	failed(t, err, "body.destination")
	must(w.PatchTask(w.ctx, admin, w.task.ID, patchOf(`{"status":"cancelled"}`)))(t)
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Destination: "https://shop.example"})
	refused(t, err, attribution.CodeConflict)
	must(w.CloseCampaign(w.ctx, admin, w.campaign.ID))(t)
	_, err = w.CreateLink(w.ctx, admin, w.task.ID, LinkFields{Destination: "https://shop.example"})
	refused(t, err, attribution.CodeCampaignClosed)
}
