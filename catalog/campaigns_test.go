package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

func testCampaignStates(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	id := w.campaign.ID
	for _, step := range []struct {
		verb   string
		call   func() (Campaign, error)
		status string // empty: a conflict
	}{
		{"pause a draft", func() (Campaign, error) { return w.PauseCampaign(w.ctx, admin, id) }, ""},
		{"resume a draft", func() (Campaign, error) { return w.ResumeCampaign(w.ctx, admin, id) }, ""},
		{"approve", func() (Campaign, error) { return w.ApproveCampaign(w.ctx, admin, id) }, "ongoing"},
		{"approve again", func() (Campaign, error) { return w.ApproveCampaign(w.ctx, admin, id) }, ""},
		{"pause", func() (Campaign, error) { return w.PauseCampaign(w.ctx, admin, id) }, "paused"},
		{"pause again", func() (Campaign, error) { return w.PauseCampaign(w.ctx, admin, id) }, ""},
		{"resume", func() (Campaign, error) { return w.ResumeCampaign(w.ctx, admin, id) }, "ongoing"},
		{"close", func() (Campaign, error) { return w.CloseCampaign(w.ctx, admin, id) }, "closed"},
		{"close again", func() (Campaign, error) { return w.CloseCampaign(w.ctx, admin, id) }, ""},
		{"approve a closed one", func() (Campaign, error) { return w.ApproveCampaign(w.ctx, admin, id) }, ""},
	} {
		w.clock.advance(time.Hour)
		campaign, err := step.call()
		if step.status == "" {
			refused(t, err, attribution.CodeConflict)
		} else {
			ok(t, err)
			equal(t, step.verb, campaign.Status, step.status)
			equal(t, step.verb+", stored", asJSON(t, must(w.Campaign(w.ctx, admin, id))(t)), asJSON(t, campaign))
		}
	}
	start := w.campaign.CreatedAt
	equal(t, "history", w.history("ledger.campaign_states", func(row scanner) (string, error) {
		var at, approved, paused, closed int64
		var state attribution.CampaignState
		err := row.Scan(&at, &approved, &paused, &closed, &state.StartsAtMs, &state.EndsAtMs)
		state.Approved, state.Paused, state.Closed = approved != 0, paused != 0, closed != 0
		return fmt.Sprintf("%dh %s", (at-int64(start))/3_600_000, state.Status(at)), err
	}, id), "0h draft, 3h ongoing, 5h paused, 7h ongoing, 8h closed")
}

// history puts what was kept for the ledger into words, as it reads it.
func (w *world) history(query string, words func(scanner) (string, error), args ...any) string {
	w.t.Helper()
	var all []string
	ok(w.t, each(w.ctx, w.db, query, func(row scanner) error {
		one, err := words(row)
		all = append(all, one)
		return err
	}, args...))
	return strings.Join(all, ", ")
}

func testStatusFilter(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	times := [][2]string{{"2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"}, {"2027-01-01T00:00:00Z", "2027-12-31T00:00:00Z"}, {"2027-06-01T00:00:00Z", "2027-12-31T00:00:00Z"}}
	for _, window := range times {
		for moves := range 5 {
			fields := spring(w.advertiser.ID)
			fields.StartsAt, fields.EndsAt = instant(window[0]), instant(window[1])
			id := must(w.CreateCampaign(w.ctx, admin, fields))(t).ID
			if moves > 0 {
				must(w.ApproveCampaign(w.ctx, admin, id))(t)
			}
			if moves == 2 && window[1] > "2027" {
				must(w.PauseCampaign(w.ctx, admin, id))(t)
			}
			if moves == 3 {
				must(w.CloseCampaign(w.ctx, admin, id))(t)
			}
		}
	}
	total, seen := 0, map[string]bool{}
	for _, status := range []string{attribution.StatusDraft, attribution.StatusUpcoming, attribution.StatusOngoing, attribution.StatusOverBudget,
		attribution.StatusFinished, attribution.StatusPaused, attribution.StatusClosed} {
		for _, campaign := range must(w.Campaigns(w.ctx, admin, CampaignFilter{Status: status}, Page{}))(t).Items {
			equal(t, campaign.ID, campaign.Status, status)
			total++
			seen[status] = true
		}
	}
	equal(t, "campaigns over all statuses", total, 16)
	equal(t, "statuses met", len(seen), 6) // over_budget is the ledger's
}

func testTermsVersions(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	id, first := w.campaign.ID, w.clock.at()
	w.clock.advance(time.Hour)
	c := must(w.PatchCampaign(w.ctx, admin, id, patchOf(`{"title":"Other"}`)))(t)
	equal(t, "version after another field", c.TermsVersion, 1)
	c = must(w.PatchCampaign(w.ctx, admin, id, patchOf(`{"terms":{"events":{"sale":{"rate":"0.2"},"lead":{"type":"flat","amount":5}}}}`)))(t)
	equal(t, "version", c.TermsVersion, 2)
	second := w.clock.at()
	equal(t, "rate", must(w.Campaign(w.ctx, admin, id))(t).Terms.Events["sale"].Rate, "0.2")
	_, err := w.PatchCampaign(w.ctx, admin, id, patchOf(`{"terms":null}`))
	failed(t, err, "body.terms")
	equal(t, "history", w.history("ledger.campaign_terms", func(row scanner) (string, error) {
		var version, from int64
		var text string
		var terms attribution.Terms
		err := errors.Join(row.Scan(&version, &from, &text), decode(text, &terms))
		return fmt.Sprintf("%d from %s: lead %s", version, attribution.Instant(from), terms.Events["lead"].Amount), err
	}, id), fmt.Sprintf("1 from %s: lead , 2 from %s: lead 5", first, second))
}

func testTermsTemplates(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	template := must(w.CreateTermsTemplate(w.ctx, admin, TermsTemplateFields{Name: "Leads",
		Terms: &attribution.Terms{Events: map[string]attribution.Payout{"lead": {Type: "flat", Amount: "5.00"}}}}))(t)
	equal(t, "stored", asJSON(t, must(w.TermsTemplate(w.ctx, w.asAdvertiser(), template.ID))(t)), asJSON(t, template))
	fields := spring(w.advertiser.ID)
	fields.TermsTemplateID = template.ID
	_, err := w.CreateCampaign(w.ctx, admin, fields)
	failed(t, err, "body.terms_template_id")
	fields.Terms = nil
	campaign := must(w.CreateCampaign(w.ctx, admin, fields))(t)
	equal(t, "terms", campaign.Terms.Events["lead"].Amount, "5.00")

	must(w.PatchTermsTemplate(w.ctx, admin, template.ID, patchOf(`{"terms":{"events":{"lead":{"amount":"7.00"}}}}`)))(t)
	equal(t, "kept terms", must(w.PatchCampaign(w.ctx, admin, campaign.ID, patchOf(`{"title":"x"}`)))(t).Terms.Events["lead"].Amount, "5.00")
	changed := must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"terms_template_id":%q}`, template.ID)))(t)
	equal(t, "terms by template", changed.Terms.Events["lead"].Amount, "7.00")
	equal(t, "version", changed.TermsVersion, 2)
	changed = must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"terms":{"click_window_days":7}}`)))(t)
	equal(t, "template let go", changed.TermsTemplateID, "")

	fields.TermsTemplateID = "trm_x"
	_, err = w.CreateCampaign(w.ctx, admin, fields)
	failed(t, err, "body.terms_template_id")
	yen := spring(w.advertiser.ID)
	yen.Currency, yen.Terms, yen.TermsTemplateID = "JPY", nil, template.ID
	_, err = w.CreateCampaign(w.ctx, admin, yen)
	failed(t, err, "body.terms.events.lead.amount")

	_, err = w.CreateTermsTemplate(w.ctx, w.asAdvertiser(), TermsTemplateFields{})
	refused(t, err, attribution.CodeForbidden)
	_, err = w.CreateTermsTemplate(w.ctx, admin, TermsTemplateFields{})
	failed(t, err, "body.name", "body.terms")
	ok(t, w.ArchiveTermsTemplate(w.ctx, admin, template.ID))
	equal(t, "templates", len(must(w.TermsTemplates(w.ctx, admin, TermsTemplateFilter{}, Page{}))(t).Items), 0)
}

func testParticipations(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	id, joined := w.campaign.ID, w.clock.at()
	_, err := w.AddCreator(w.ctx, admin, id, ParticipationFields{CreatorID: w.creator.ID})
	refused(t, err, attribution.CodeConflict)
	second := must(w.CreateCreator(w.ctx, admin, CreatorFields{Name: "Som"}))(t)
	_, err = w.AddCreator(w.ctx, w.asAdvertiser(), id, ParticipationFields{CreatorID: second.ID, Status: Joined})
	failed(t, err, "body.status")
	part := must(w.AddCreator(w.ctx, w.asAdvertiser(), id, ParticipationFields{CreatorID: second.ID}))(t)
	equal(t, "an advertiser invites", part.Status, Invited)
	_, err = w.PatchParticipation(w.ctx, w.asAdvertiser(), id, second.ID, patchOf(`{"status":"joined"}`))
	failed(t, err, "body.status")

	w.clock.advance(time.Hour)
	part = must(w.PatchParticipation(w.ctx, admin, id, w.creator.ID, patchOf(`{"status":"unavailable"}`)))(t)
	left := w.clock.at()
	w.clock.advance(time.Hour)
	part = must(w.PatchParticipation(w.ctx, w.asAdvertiser(), id, w.creator.ID,
		patchOf(`{"status":"joined","tier":"preferred","terms_override":{"events":{"sale":{"type":"percent","rate":"0.125"}}}}`)))(t)
	back := w.clock.at()
	equal(t, "joined_at", *part.JoinedAt, back)
	equal(t, "stored", asJSON(t, must(w.Participation(w.ctx, admin, id, w.creator.ID))(t)), asJSON(t, part))
	equal(t, "history", w.history("ledger.participation", func(row scanner) (string, error) {
		var at attribution.Instant
		var text string
		var fields ParticipationFields
		err := errors.Join(row.Scan(&at, &text), decode(text, &fields))
		return fmt.Sprintf("%s from %s", fields.Status, at), err
	}, id, w.creator.ID), fmt.Sprintf("%s from %s, %s from %s, %s from %s", Joined, joined, Unavailable, left, Joined, back))
	equal(t, "participations", len(must(w.Participations(w.ctx, admin, id, ParticipationFilter{}, Page{}))(t).Items), 2)
	equal(t, "a creator sees itself", len(must(w.Participations(w.ctx, w.asCreator(), id, ParticipationFilter{}, Page{}))(t).Items), 1)
	_, err = w.Participation(w.ctx, w.asCreator(), id, second.ID)
	refused(t, err, attribution.CodeNotFound)
	again := must(w.AddCreator(w.ctx, w.asCreator(), id, ParticipationFields{CreatorID: w.creator.ID}))(t)
	equal(t, "joining again", asJSON(t, again), asJSON(t, part))
	_, err = w.AddCreator(w.ctx, w.asCreator(), id, ParticipationFields{CreatorID: second.ID})
	refused(t, err, attribution.CodeForbidden)

	must(w.CloseCampaign(w.ctx, admin, id))(t)
	third := must(w.CreateCreator(w.ctx, admin, CreatorFields{Name: "Nok"}))(t)
	_, err = w.AddCreator(w.ctx, admin, id, ParticipationFields{CreatorID: third.ID})
	refused(t, err, attribution.CodeCampaignClosed)
}
