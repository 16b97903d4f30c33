package catalog

import (
	"testing"
	"time"
)

func testInvitations(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.clock.advance(time.Minute)
	ann, _ := w.newcomer(CreatorFields{Labels: []string{"spring", "autumn"}})
	w.clock.advance(time.Minute)
	bea, beasScope := w.newcomer(CreatorFields{Labels: []string{"spring"}})
	w.newcomer(CreatorFields{Labels: []string{"springtime"}})
	must(w.PatchCreator(w.ctx, admin, w.creator.ID, patchOf(`{"labels":["spring"]}`)))(t)

	fields := InvitationFields{Label: "spring", CreatorIDs: []string{ann.ID, "crt_nobody"}, Tier: "preferred"}
	results := must(w.InviteCreators(w.ctx, w.asAdvertiser(), w.campaign.ID, fields))(t)
	equal(t, "results", len(results), 4)
	for i, want := range []struct {
		id, status string
		isNew      bool
	}{{ann.ID, Invited, true}, {"crt_nobody", "", false}, {bea.ID, Invited, true}, {w.creator.ID, Joined, false}} {
		got := results[i]
		equal(t, "creator", got.CreatorID, want.id)
		equal(t, "new", got.New, want.isNew)
		if got.Participation == nil {
			equal(t, "problem", got.Problem != nil && want.status == "", true)
			continue
		}
		equal(t, "status", got.Participation.Status, want.status)
	}
	equal(t, "tier", results[0].Participation.Tier, "preferred")
	equal(t, "who was in it stays as it was", results[3].Participation.Tier, "standard")
	equal(t, "accepted", must(w.AddCreator(w.ctx, beasScope, w.campaign.ID, ParticipationFields{}))(t).Status, Joined)

	again := must(w.InviteCreators(w.ctx, admin, w.campaign.ID, fields))(t)
	equal(t, "again", again[0].New || again[2].New, false)
	equal(t, "nobody has it", len(must(w.InviteCreators(w.ctx, admin, w.campaign.ID, InvitationFields{Label: "winter"}))(t)), 0)
	audited := must(w.AuditLog(w.ctx, admin, AuditFilter{Thing: "participation", Verb: "add"}, Page{}))(t).Items
	equal(t, "audited", len(audited), 3)

	_, err := w.InviteCreators(w.ctx, admin, w.campaign.ID, InvitationFields{Tier: "best"})
	failed(t, err, "body.tier", "body.label")
	_, err = w.InviteCreators(w.ctx, w.asCreator(), w.campaign.ID, fields)
	refused(t, err, "forbidden")
	_, err = w.InviteCreators(w.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: "adv_other"}, w.campaign.ID, fields)
	refused(t, err, "not_found")
	must(w.CloseCampaign(w.ctx, admin, w.campaign.ID))(t)
	_, err = w.InviteCreators(w.ctx, admin, w.campaign.ID, fields)
	refused(t, err, "campaign_closed")
}

func testOverdueTasks(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	overdue := func() string {
		list := must(w.Tasks(w.ctx, w.asAdvertiser(), TaskFilter{Overdue: true}, Page{}))(t).Items
		text := ""
		for _, task := range list {
			equal(t, "an overdue task says so", task.Overdue, true)
			text += task.Title
		}
		return text
	}
	due := instant("2027-01-10T09:00:01Z")
	fields := TaskFields{CampaignID: w.campaign.ID, CreatorID: w.creator.ID, Platform: "tiktok", Title: "a", DueAt: &due, Fee: "7.5"}
	made := must(w.CreateTask(w.ctx, admin, fields))(t)
	equal(t, "new", made.Overdue, false)
	equal(t, "money has its currency's form", string(made.Fee), "7.50")
	equal(t, "before", overdue(), "")
	w.clock.ms.Store(int64(due))
	equal(t, "at the time", overdue(), "")
	w.clock.ms.Store(int64(due) + 1)
	equal(t, "after", overdue(), "a")
	equal(t, "read", must(w.Task(w.ctx, w.asCreator(), made.ID))(t).Overdue, true)
	equal(t, "handed in", must(w.PatchTask(w.ctx, w.asCreator(), made.ID, patchOf(`{"status":"submitted"}`)))(t).Overdue, false)
	equal(t, "handed in, listed", overdue(), "")
	must(w.PatchTask(w.ctx, admin, made.ID, patchOf(`{"status":"open"}`)))(t)
	equal(t, "open again", overdue(), "a")
	must(w.PatchTask(w.ctx, admin, made.ID, patchOf(`{"due_at":null}`)))(t)
	equal(t, "never due", overdue(), "")
}
