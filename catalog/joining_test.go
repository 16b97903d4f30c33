package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tributary/attribution"
	"tributary/schema/database"
)

// offer makes an approved campaign.
func (w *world) offer(change func(*CampaignFields)) Campaign {
	w.t.Helper()
	fields := spring(w.advertiser.ID)
	if change != nil {
		change(&fields)
	}
	made := must(w.CreateCampaign(w.ctx, admin, fields))(w.t)
	return must(w.ApproveCampaign(w.ctx, admin, made.ID))(w.t)
}

// newcomer is a creator who signs up now, and its scope.
func (w *world) newcomer(fields CreatorFields) (Creator, Scope) {
	w.t.Helper()
	fields.Name = orDefault(fields.Name, "newcomer")
	made := must(w.CreateCreator(w.ctx, admin, fields))(w.t)
	return made, Scope{Role: RoleCreator, KeyID: "key_newcomer", CreatorID: made.ID}
}

func testJoining(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	som, scope := w.newcomer(CreatorFields{})
	auto := w.offer(nil)
	joined := must(w.AddCreator(w.ctx, scope, auto.ID, ParticipationFields{}))(t)
	equal(t, "auto", joined.Status, Joined)
	equal(t, "since", *joined.JoinedAt, w.clock.at())
	w.clock.advance(time.Minute)
	equal(t, "again", asJSON(t, must(w.AddCreator(w.ctx, scope, auto.ID, ParticipationFields{Status: Joined}))(t)), asJSON(t, joined))

	manual := w.offer(func(f *CampaignFields) { f.Approval = ApprovalManual })
	applied := must(w.AddCreator(w.ctx, scope, manual.ID, ParticipationFields{CreatorID: som.ID}))(t)
	equal(t, "manual", applied.Status, Applied)
	equal(t, "to be decided", len(must(w.Participations(w.ctx, w.asAdvertiser(), manual.ID, ParticipationFilter{Status: Applied}, Page{}))(t).Items), 1)
	rejected := must(w.PatchParticipation(w.ctx, w.asAdvertiser(), manual.ID, som.ID, patchOf(`{"status":"rejected","reason":"too new"}`)))(t)
	equal(t, "reason", rejected.Reason, "too new")
	equal(t, "the creator reads it", must(w.Participation(w.ctx, scope, manual.ID, som.ID))(t).Reason, "too new")
	_, err := w.AddCreator(w.ctx, scope, manual.ID, ParticipationFields{})
	refused(t, err, CodeRejected)
	approved := must(w.PatchParticipation(w.ctx, w.asAdvertiser(), manual.ID, som.ID, patchOf(`{"status":"joined"}`)))(t)
	equal(t, "approved after all", approved.Status+approved.Reason, Joined)

	invite := w.offer(func(f *CampaignFields) {
		f.Visibility, f.Approval, f.Eligibility = VisibilityInvite, ApprovalManual, Eligibility{Countries: []string{"JP"}}
	})
	must(w.AddCreator(w.ctx, w.asAdvertiser(), invite.ID, ParticipationFields{CreatorID: som.ID}))(t)
	equal(t, "an invitation joins whatever the conditions", must(w.AddCreator(w.ctx, scope, invite.ID, ParticipationFields{}))(t).Status, Joined)

	var messages []string
	for _, e := range told[ParticipationEvent](w, OutboxParticipation) {
		if e.CreatorID == som.ID {
			equal(t, "told of", e.AdvertiserID+e.CampaignTitle, w.advertiser.ID+"Spring")
			messages = append(messages, fmt.Sprintf("%s>%s by %s", e.PreviousStatus, e.Status, e.ActorRole))
		}
	}
	equal(t, "told", strings.Join(messages, ", "),
		">joined by creator, >applied by creator, applied>rejected by advertiser, rejected>joined by advertiser, >invited by advertiser, invited>joined by creator")
}

func testRefusedJoining(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	founder, founderScope := w.newcomer(CreatorFields{})
	w.clock.advance(time.Minute)
	must(w.CreateAdvertiser(w.ctx, admin, acme()))(t)
	var selection attribution.Instant
	finished := func(f *CampaignFields) {
		f.StartsAt, f.EndsAt = instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z")
	}
	campaigns := map[string]Campaign{
		"open":      w.offer(nil),
		"closed":    w.offer(func(f *CampaignFields) { f.Visibility = VisibilityClosed }),
		"invite":    w.offer(func(f *CampaignFields) { f.Visibility = VisibilityInvite }),
		"thai":      w.offer(func(f *CampaignFields) { f.Eligibility = Eligibility{Countries: []string{"TH"}, AgeMin: 18} }),
		"finished":  w.offer(finished),
		"paused":    w.offer(nil),
		"shut":      w.offer(nil),
		"selecting": w.offer(func(f *CampaignFields) { selection = w.clock.at() + 7_200_000; f.SelectionStartsAt = &selection }),
		"draft":     w.campaign,
		"left":      w.offer(nil),
	}
	must(w.PauseCampaign(w.ctx, admin, campaigns["paused"].ID))(t)
	must(w.CloseCampaign(w.ctx, admin, campaigns["shut"].ID))(t)
	w.clock.advance(time.Minute)
	late, lateScope := w.newcomer(CreatorFields{Name: "late", Country: "VN"})
	must(w.AddCreator(w.ctx, admin, campaigns["left"].ID, ParticipationFields{CreatorID: late.ID, Status: Unavailable}))(t)
	for name, want := range map[string]string{
		"open": "", "closed": attribution.CodeNotFound, "invite": attribution.CodeNotFound, "thai": CodeNotEligible, "finished": CodeCampaignFinished,
		"paused": CodeCampaignPaused, "shut": attribution.CodeCampaignClosed, "selecting": CodeSelectionNotStarted, "draft": attribution.CodeNotFound,
		"left": attribution.CodeNotFound,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.AddCreator(w.ctx, lateScope, campaigns[name].ID, ParticipationFields{})
			if want == "" {
				ok(t, err)
				return
			}
			problem := refused(t, err, want)
			if want == CodeNotEligible {
				equal(t, "conditions", asJSON(t, problem.Fields), `[{"location":"creator.country","code":"country","message":"must be one of: TH; the creator's is VN"},`+
					`{"location":"creator.birth_year","code":"age_min","message":"must make the creator 18 or older"}]`)
			}
		})
	}
	equal(t, "who signed up before joins a closed one", must(w.AddCreator(w.ctx, founderScope, campaigns["closed"].ID, ParticipationFields{}))(t).CreatorID, founder.ID)
	w.clock.advance(2 * time.Hour)
	equal(t, "selection has started", must(w.AddCreator(w.ctx, lateScope, campaigns["selecting"].ID, ParticipationFields{}))(t).Status, Joined)
	for _, fields := range []ParticipationFields{{Tier: "preferred"}, {TermsOverride: &attribution.TermsOverride{}}, {CreatorID: founder.ID}} {
		_, err := w.AddCreator(w.ctx, lateScope, campaigns["open"].ID, fields)
		refused(t, err, attribution.CodeForbidden)
	}
	_, err := w.AddCreator(w.ctx, lateScope, campaigns["open"].ID, ParticipationFields{Status: Rejected})
	failed(t, err, "body.status")

	for name, want := range map[string]string{"finished": CodeCampaignFinished, "shut": attribution.CodeCampaignClosed} {
		_, err := w.AddCreator(w.ctx, admin, campaigns[name].ID, ParticipationFields{CreatorID: founder.ID})
		refused(t, err, want)
	}
	equal(t, "an admin forces", must(w.AddCreator(w.ctx, admin, campaigns["thai"].ID, ParticipationFields{CreatorID: late.ID}))(t).Status, Joined)
}

// testMoves tries every change of status as everybody who could want it.
func testMoves(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	campaign := w.offer(nil)
	all := []string{Invited, Applied, Joined, Rejected, Unavailable}
	// What an admin makes of a creator who was never asked has no will behind it.
	allowed := map[string]string{
		"creator":    "invited>joined invited>unavailable applied>unavailable joined>unavailable",
		"advertiser": "invited>rejected invited>unavailable applied>invited applied>joined applied>rejected applied>unavailable joined>invited joined>rejected joined>unavailable rejected>invited rejected>unavailable unavailable>invited unavailable>rejected",
	}
	for role, want := range allowed {
		var got []string
		for _, from := range all {
			for _, to := range all {
				if from == to {
					continue
				}
				creator, scope := w.newcomer(CreatorFields{})
				must(w.AddCreator(w.ctx, admin, campaign.ID, ParticipationFields{CreatorID: creator.ID, Status: from}))(t)
				if role == "advertiser" {
					scope = w.asAdvertiser()
				}
				now, err := w.PatchParticipation(w.ctx, scope, campaign.ID, creator.ID, patchOf(`{"status":%q}`, to))
				if err == nil {
					equal(t, "status", now.Status, to)
					got = append(got, from+">"+to)
				}
			}
		}
		equal(t, role, strings.Join(got, " "), want)
	}
	creator, scope := w.newcomer(CreatorFields{})
	must(w.AddCreator(w.ctx, scope, campaign.ID, ParticipationFields{}))(t)
	_, err := w.PatchParticipation(w.ctx, scope, campaign.ID, creator.ID, patchOf(`{"tier":"preferred"}`))
	refused(t, err, attribution.CodeForbidden)
	left := must(w.PatchParticipation(w.ctx, scope, campaign.ID, creator.ID, patchOf(`{"status":"unavailable","reason":"no time"}`)))(t)
	equal(t, "reason", left.Reason, "no time")
	_, err = w.Campaign(w.ctx, scope, campaign.ID)
	refused(t, err, attribution.CodeNotFound)
	_, err = w.PatchParticipation(w.ctx, w.asAdvertiser(), campaign.ID, creator.ID, patchOf(`{"status":"joined"}`))
	failed(t, err, "body.status") // who left of its own will is asked, not taken back
	must(w.PatchParticipation(w.ctx, w.asAdvertiser(), campaign.ID, creator.ID, patchOf(`{"status":"invited"}`)))(t)
	equal(t, "back", must(w.PatchParticipation(w.ctx, scope, campaign.ID, creator.ID, patchOf(`{"status":"joined"}`)))(t).Status, Joined)
	must(w.PatchParticipation(w.ctx, w.asAdvertiser(), campaign.ID, creator.ID, patchOf(`{"status":"unavailable"}`)))(t)
	equal(t, "deselected by mistake", must(w.PatchParticipation(w.ctx, w.asAdvertiser(), campaign.ID, creator.ID, patchOf(`{"status":"joined"}`)))(t).Status, Joined)
}

func testParallelJoining(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	campaign := w.offer(nil)
	creator, scope := w.newcomer(CreatorFields{})
	var group sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		group.Go(func() {
			_, err := w.AddCreator(w.ctx, scope, campaign.ID, ParticipationFields{})
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		ok(t, err)
	}
	equal(t, "participations", len(must(w.Participations(w.ctx, admin, campaign.ID, ParticipationFilter{}, Page{}))(t).Items), 1)
	joins := 0
	for _, e := range told[ParticipationEvent](w, OutboxParticipation) {
		if e.CreatorID == creator.ID {
			joins++
		}
	}
	equal(t, "told", joins, 1)
}

// testOffers draws campaigns and creators and lets everybody look at everything:
// a creator finds a campaign exactly when it is in it, or may join it.
func testOffers(t *testing.T, open factory) {
	outer := newWorld(t, open(t))
	countries, platforms := []string{"", "TH", "VN"}, []string{"tiktok", "instagram", "youtube"}
	check := func(r *rapid.T, w *world) {
		pick := func(of []string, what string) string { return rapid.SampledFrom(of).Draw(r, what) }
		var creators []Creator
		signUp := func() {
			fields := CreatorFields{Name: "c", Country: pick(countries, "country"), BirthYear: rapid.SampledFrom([]int{0, 1990, 2015}).Draw(r, "birth")}
			if rapid.Bool().Draw(r, "social") {
				fields.Socials = []Social{{Platform: pick(platforms, "platform"), Handle: "h", Followers: rapid.Int64Range(0, 20).Draw(r, "followers")}}
			}
			creators = append(creators, must(w.CreateCreator(w.ctx, admin, fields))(t))
			w.clock.advance(time.Second)
		}
		signUp()
		var campaigns []Campaign
		for range rapid.IntRange(1, 4).Draw(r, "campaigns") {
			fields := spring(w.advertiser.ID)
			fields.Kind, fields.Hashtags = pick([]string{"url", "social"}, "kind"), []string{"#a", "#b", "#c"}
			fields.Visibility = pick([]string{VisibilityOpen, VisibilityClosed, VisibilityInvite}, "visibility")
			if rapid.IntRange(0, 2).Draw(r, "conditions") == 0 {
				fields.Eligibility = Eligibility{Countries: []string{pick(countries[1:], "wanted")}, AgeMin: rapid.SampledFrom([]int{0, 18}).Draw(r, "age"),
					FollowersMin: rapid.SampledFrom([]int64{0, 10}).Draw(r, "least")}
			}
			state := pick([]string{attribution.StatusOngoing, attribution.StatusOngoing, attribution.StatusOngoing, attribution.StatusDraft,
				attribution.StatusFinished, attribution.StatusPaused, attribution.StatusClosed}, "state")
			if state == attribution.StatusFinished {
				fields.StartsAt, fields.EndsAt = instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z")
			}
			made := must(w.CreateCampaign(w.ctx, admin, fields))(t)
			w.clock.advance(time.Second)
			if state != attribution.StatusDraft {
				made = must(w.ApproveCampaign(w.ctx, admin, made.ID))(t)
			}
			switch state {
			case attribution.StatusPaused:
				made = must(w.PauseCampaign(w.ctx, admin, made.ID))(t)
			case attribution.StatusClosed:
				made = must(w.CloseCampaign(w.ctx, admin, made.ID))(t)
			}
			if made.Status != state {
				r.Fatalf("a campaign is %s, not %s", made.Status, state)
			}
			campaigns = append(campaigns, made)
		}
		signUp()
		in := map[string]string{}
		for _, campaign := range campaigns {
			for _, creator := range creators {
				if status := pick([]string{"", "", "", Invited, Applied, Rejected, Unavailable}, "status"); status != "" && campaign.ClosedAt == nil {
					must(w.AddCreator(w.ctx, admin, campaign.ID, ParticipationFields{CreatorID: creator.ID, Status: status}))(t)
					in[campaign.ID+creator.ID] = status
				}
			}
		}
		for _, creator := range creators {
			scope := Scope{Role: RoleCreator, CreatorID: creator.ID}
			listed := map[string]string{}
			for page := (Page{Limit: 2}); ; {
				list := must(w.Campaigns(w.ctx, scope, CampaignFilter{}, page))(t)
				for _, campaign := range list.Items {
					listed[campaign.ID] = campaign.Participation
					if campaign.MarginRate != "" || campaign.Budget != nil || campaign.CostPer != nil {
						r.Fatalf("a creator sees what a campaign costs: %+v", campaign)
					}
				}
				if page.Cursor = list.NextCursor; page.Cursor == "" {
					break
				}
			}
			for _, campaign := range campaigns {
				status := in[campaign.ID+creator.ID]
				running := campaign.Status == attribution.StatusOngoing
				reached := campaign.Visibility == VisibilityOpen || campaign.Visibility == VisibilityClosed && creator.CreatedAt <= campaign.CreatedAt
				sees := status != Unavailable && (status != "" || running && reached && len(campaign.Unmet(creator.CreatorFields, w.clock.at())) == 0)
				shown, isListed := listed[campaign.ID]
				_, err := w.Campaign(w.ctx, scope, campaign.ID)
				if isListed != sees || (err == nil) != sees || shown != status && sees {
					r.Fatalf("%s %s campaign, status %q: listed %v as %q, found %v, want %v", campaign.Visibility, campaign.Status, status, isListed, shown, err == nil, sees)
				}
				if _, err := w.AddCreator(w.ctx, scope, campaign.ID, ParticipationFields{}); err == nil && !sees {
					r.Fatalf("a creator joined a campaign it does not see")
				}
			}
		}
	}
	undo := errors.New("undo")
	rapid.Check(t, func(r *rapid.T) {
		err := outer.db.Write(outer.ctx, func(ctx context.Context, _ *database.Tx) error {
			inner := *outer
			inner.ctx = ctx
			check(r, &inner)
			return undo // the next world is as empty
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
	})
}
