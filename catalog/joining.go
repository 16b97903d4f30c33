package catalog

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"tributary/attribution"
)

// Why a campaign takes nobody in at this time, beside CodeCampaignClosed.
const (
	CodeCampaignFinished    = "campaign_finished"
	CodeCampaignPaused      = "campaign_paused"
	CodeSelectionNotStarted = "selection_not_started"
	// CodeRejected says that the creator was rejected, and CodeNotJoined that it is
	// not, or no longer, in the campaign it wants to work for.
	CodeRejected  = "participation_rejected"
	CodeNotJoined = "not_joined"
)

// join brings a creator into a campaign by its own wish: it joins where approval
// is auto or it was invited, and applies where approval is manual. Who is in it
// already stays as it is, so that asking twice, or from two places at once, is
// the same as asking once.
func (w *writing) join(ctx context.Context, campaignID string, fields ParticipationFields) (Participation, error) {
	var none Participation
	creatorID := w.scope.CreatorID
	campaign, err := scanCampaign(w.Row(ctx, "campaign.by_id", campaignID))
	if errors.Is(err, sql.ErrNoRows) {
		return none, notFound("campaign", campaignID)
	}
	if err != nil {
		return none, err
	}
	part, err := scanParticipation(w.Row(ctx, "participation.by_id", campaignID, creatorID))
	if isNot(err, sql.ErrNoRows) {
		return none, err
	}
	creator, err := scanCreator(w.Row(ctx, "creator.by_id", creatorID))
	if isNot(err, sql.ErrNoRows) {
		return none, err
	}
	if err != nil || part.Status == Unavailable || part.Status == "" && !campaign.reaches(creator) {
		return none, notFound("campaign", campaignID)
	}
	if err := checkJoin(w.scope, fields); err != nil {
		return none, err
	}
	switch part.Status {
	case Applied, Joined:
		return part, nil
	case Rejected:
		return none, attribution.Refuse(CodeRejected, "the advertiser has rejected the creator for this campaign")
	case Invited:
		if err := campaign.refuseNewcomers(true, w.at); err != nil {
			return none, err
		}
		accepted := part.ParticipationFields
		accepted.Status = Joined
		return w.changeParticipation(ctx, &campaign, part, accepted, []string{"status"})
	}
	if err := campaign.refuseJoining(creator, w.at); err != nil {
		return none, err
	}
	wanted := ParticipationFields{CreatorID: creatorID, Status: Joined}
	if campaign.Approval == ApprovalManual {
		wanted.Status = Applied
	}
	return w.addParticipation(ctx, &campaign, wanted.normal())
}

// checkJoin checks what a creator who wants to join says: at most who it is.
// What it earns is not its to say, and whether it joins or applies is the
// campaign's.
func checkJoin(scope Scope, fields ParticipationFields) error {
	if fields.CreatorID != "" && fields.CreatorID != scope.CreatorID {
		return forbidden(scope, "bring another creator into a campaign")
	}
	if fields.TermsOverride != nil || fields.Tier != "" || fields.Reason != "" {
		return forbidden(scope, "set the terms, the tier or the reason of a participation")
	}
	var check fieldCheck
	check.Require(slices.Contains([]string{"", Applied, Joined}, fields.Status), "body.status", "must be joined or applied, or be left out")
	return check.Err()
}

// refuseJoining says why a creator who is not invited cannot join or apply now;
// nil when it can. A refusal names every condition that is not met.
func (r *campaignRow) refuseJoining(creator Creator, at attribution.Instant) error {
	if err := r.refuseNewcomers(true, at); err != nil {
		return err
	}
	if r.PausedAt != nil {
		return attribution.Refuse(CodeCampaignPaused, "the campaign is paused: ask again when it goes on")
	}
	if from := r.SelectionStartsAt; from != nil && at < *from {
		return attribution.Refuse(CodeSelectionNotStarted, "the selection of creators starts at %s", from)
	}
	if failed := r.Unmet(creator.CreatorFields, at); len(failed) > 0 {
		return &attribution.Problem{Code: CodeNotEligible, Detail: "the creator does not meet the campaign's conditions", Fields: failed}
	}
	return nil
}

// checkMove checks what a participation changes to. Nobody is moved against the
// creator's will but by an admin, and that until the campaign has finished.
func (w *writing) checkMove(campaign *campaignRow, was Participation, fields ParticipationFields, changed []string) error {
	if w.scope.creator() && !creatorMay(was.Status, fields.Status, changed) {
		return forbidden(w.scope, "change a participation, except to accept an invitation (joined) or to leave (unavailable)")
	}
	var check fieldCheck
	frozen(&check.Checker, changed, "add the other creator instead", "creator_id")
	fields.check(&check, campaign.Currency)
	willing := was.willing || w.scope.creator()
	if fields.Status != was.Status {
		check.Require(w.scope.admin() || willing || fields.Status != Joined, "body.status",
			"cannot become joined: the creator has not applied, and only an admin adds those")
		check.Require(!w.scope.advertiser() || fields.Status != Applied, "body.status", "cannot become applied: creators apply themselves")
	}
	if err := check.Err(); err != nil || fields.Status != Joined || was.Status == Joined {
		return err
	}
	return campaign.refuseNewcomers(!was.willing, w.at)
}

// creatorMay reports whether a creator may change its own participation so: it
// accepts an invitation, or leaves what it is in, and may say why.
func creatorMay(from, to string, changed []string) bool {
	for _, field := range changed {
		if field != "status" && !(field == "reason" && to == Unavailable) {
			return false
		}
	}
	return from == Invited && to == Joined || to == Unavailable && slices.Contains([]string{Invited, Applied, Joined}, from)
}
