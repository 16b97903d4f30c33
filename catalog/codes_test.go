package catalog

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/attribution"
)

func testCodes(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	starts, ends := w.clock.at()+1000, w.clock.at()+5000
	code := must(w.CreateCode(w.ctx, w.asCreator(), w.task.ID, CodeFields{Code: " Mali_10.x ", StartsAt: &starts, EndsAt: &ends}))(t)
	equal(t, "code", code.Code, "Mali_10.x")
	equal(t, "stored", asJSON(t, must(w.Code(w.ctx, w.asCreator(), code.ID))(t)), asJSON(t, code))
	equal(t, "platform", code.Platform, w.task.Platform)
	equal(t, "found by code", must(w.Codes(w.ctx, w.asAdvertiser(), CodeFilter{Code: "mALI_10.X"}, Page{}))(t).Items[0].ID, code.ID)

	w.clock.advance(time.Hour)
	patched := must(w.PatchCode(w.ctx, w.asCreator(), code.ID, patchOf(`{"ends_at":null}`)))(t)
	if patched.EndsAt != nil || *patched.StartsAt != starts || patched.UpdatedAt != w.clock.at() {
		t.Errorf("the patched code is %+v", patched)
	}
	equal(t, "stored patch", asJSON(t, must(w.Code(w.ctx, admin, code.ID))(t)), asJSON(t, patched))
	_, err := w.PatchCode(w.ctx, admin, code.ID, patchOf(`{"code":"other","ends_at":"2020-01-01T00:00:00Z"}`))
	failed(t, err, "body.code", "body.ends_at")

	ok(t, w.DeleteCode(w.ctx, w.asCreator(), code.ID))
	ok(t, w.DeleteCode(w.ctx, w.asCreator(), code.ID))
	deleted := must(w.Code(w.ctx, admin, code.ID))(t)
	if deleted.ArchivedAt == nil || *deleted.ArchivedAt != w.clock.at() {
		t.Errorf("archived_at of a deleted code: %v", deleted.ArchivedAt)
	}
	_, err = w.PatchCode(w.ctx, admin, code.ID, patchOf(`{"ends_at":null}`))
	refused(t, err, attribution.CodeConflict)
	equal(t, "codes", len(must(w.Codes(w.ctx, admin, CodeFilter{}, Page{}))(t).Items), 0)
	_, err = w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{Code: "MALI_10.X"})
	refused(t, err, CodeCodeTaken)
}

func testCodeNames(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	for _, code := range []string{"a", strings.Repeat("x", 65), "a b", "ÄB", "a/b", "50%"} {
		_, err := w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{Code: code})
		failed(t, err, "body.code")
	}
	made := must(w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{}))(t)
	equal(t, "readable", strings.Trim(made.Code, codeAlphabet+codeDelimiter), "")
	equal(t, "length", len(made.Code), codeLength+1)
	_, err := w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{Code: strings.ToLower(made.Code)})
	refused(t, err, CodeCodeTaken)

	// Another advertiser may have the same code.
	other := newWorld(t, w.db)
	must(other.CreateCode(w.ctx, admin, other.task.ID, CodeFields{Code: made.Code}))(t)
	_, err = other.Code(w.ctx, w.asAdvertiser(), must(other.Codes(w.ctx, admin, CodeFilter{AdvertiserID: other.advertiser.ID}, Page{}))(t).Items[0].ID)
	refused(t, err, attribution.CodeNotFound)
}

func TestTakenRandomCodeIsDrawnAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openSQLite(t))
	w.entropy.source = &repeated{}
	codes := map[string]bool{}
	for range 5 {
		codes[must(w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{}))(t).Code] = true
		w.clock.advance(time.Millisecond)
	}
	equal(t, "codes", len(codes), 5)
}

func testRefusedCodes(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"tracking":false}`)))(t)
	_, err := w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{})
	refused(t, err, attribution.CodeTrackingDisabled)
	_, err = w.FillCodePool(w.ctx, admin, w.campaign.ID, strings.NewReader("A1\n"), false)
	refused(t, err, attribution.CodeTrackingDisabled)
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"tracking":true}`)))(t)
	must(w.CloseCampaign(w.ctx, admin, w.campaign.ID))(t)
	_, err = w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{})
	refused(t, err, attribution.CodeCampaignClosed)
	_, err = w.CreateCode(w.ctx, Scope{Role: RoleIngest, AdvertiserID: w.advertiser.ID}, w.task.ID, CodeFields{})
	refused(t, err, attribution.CodeNotFound)
}

func testCodePool(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	must(w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{Code: "Mine"}))(t)

	file := "\uFEFFnote;x,Code\nfirst,Pool-1\n\nsecond, pool-2 \n,mine\n,pool-1\n,b d\nthird\n"
	for _, dry := range []bool{true, false} {
		upload := must(w.FillCodePool(w.ctx, w.asAdvertiser(), w.campaign.ID, strings.NewReader(file), dry))(t)
		equal(t, "added", upload.Added, 2)
		equal(t, "total", upload.Total, 2)
		equal(t, "dry run", upload.DryRun, dry)
		var errors []string
		for _, e := range upload.Errors {
			errors = append(errors, fmt.Sprint(e.Line, " ", e.Code))
		}
		equal(t, "errors", strings.Join(errors, ", "), "5 code_taken, 6 code_taken, 7 validation, 8 validation")
	}
	must(w.FillCodePool(w.ctx, admin, w.campaign.ID, strings.NewReader("POOL-3\n"), false))(t)
	_, err := w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{Code: "free"})
	failed(t, err, "body.code")

	equal(t, "asked for", must(w.CreateCode(w.ctx, w.asCreator(), w.task.ID, CodeFields{Code: "POOL-2"}))(t).Code, "pool-2")
	equal(t, "the oldest", must(w.CreateCode(w.ctx, w.asCreator(), w.task.ID, CodeFields{}))(t).Code, "Pool-1")
	equal(t, "the next", must(w.CreateCode(w.ctx, w.asCreator(), w.task.ID, CodeFields{}))(t).Code, "POOL-3")
	_, err = w.CreateCode(w.ctx, w.asCreator(), w.task.ID, CodeFields{})
	refused(t, err, CodeCodePoolEmpty)
	equal(t, "told of an empty pool", fmt.Sprint(poolsTold(w)), "[0/3]")
	equal(t, "pool", must(w.CodePool(w.ctx, w.asAdvertiser(), w.campaign.ID))(t), CodePool{w.campaign.ID, 3, 0})

	_, err = w.CodePool(w.ctx, w.asCreator(), w.campaign.ID)
	refused(t, err, attribution.CodeForbidden)
	_, err = w.FillCodePool(w.ctx, w.asCreator(), w.campaign.ID, strings.NewReader("x1\n"), false)
	refused(t, err, attribution.CodeForbidden)
	for _, bad := range []string{"", "code\n", "a\"b\n"} {
		_, err = w.FillCodePool(w.ctx, admin, w.campaign.ID, strings.NewReader(bad), false)
		failed(t, err, "body")
	}
}

func testParallelPool(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	var file strings.Builder
	for i := range 30 {
		fmt.Fprintf(&file, "P%d\n", i)
	}
	must(w.FillCodePool(w.ctx, admin, w.campaign.ID, strings.NewReader(file.String()), false))(t)
	var mu sync.Mutex
	var group sync.WaitGroup
	given, empty := map[string]bool{}, 0
	for range 4 {
		group.Go(func() {
			for range 10 {
				code, err := w.CreateCode(w.ctx, admin, w.task.ID, CodeFields{})
				mu.Lock()
				if problem, is := attribution.AsProblem(err); is && problem.Code == CodeCodePoolEmpty {
					empty++
				} else if err != nil {
					t.Error(err)
				} else {
					given[code.Code] = true
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(given) != 30 || empty != 10 {
		t.Errorf("%d codes were given out and %d refused", len(given), empty)
	}
}

func testBudgetHook(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	var told []string
	w.budgetChanged = func(_ context.Context, campaignID string) error { told = []string{campaignID}; return nil }
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"title":"Summer"}`)))(t)
	equal(t, "told of a title", len(told), 0)
	campaign := must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"budget":{"amount":"50.00"}}`)))(t)
	equal(t, "told of a budget", strings.Join(told, " "), w.campaign.ID)
	equal(t, "remaining", *campaign.Budget.Remaining, "50.00")
}
