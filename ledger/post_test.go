package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// A posted is a shop with one post.
type posted struct {
	*shop
	post catalog.Post
}

func newPosted(t *testing.T, more string) *posted {
	s := newShop(t, more)
	post := must(s.catalog.CreatePost(s.ctx, catalogAdmin, s.link.TaskID, catalog.PostFields{URL: "https://video.example/1"}))(t)
	return &posted{s, post}
}

// changed does something to the post and has the ledger follow, as one.
func (p *posted) changed(do func(ctx context.Context) error) {
	p.Helper()
	ok(p, p.db.Write(p.ctx, func(ctx context.Context, _ *database.Tx) error {
		if err := do(ctx); err != nil {
			return err
		}
		return p.PostChanged(ctx, adminScope, p.post.ID)
	}))
}

func (p *posted) judge(status string) {
	p.Helper()
	p.changed(func(ctx context.Context) error {
		_, err := p.catalog.PatchPost(ctx, catalogAdmin, p.post.ID, fmt.Appendf(nil, `{"status":%q,"warning_reason":"x"}`, status))
		return err
	})
}

func (p *posted) seen(likes, views int64) {
	p.Helper()
	p.nowMs.Add(1000)
	p.changed(func(ctx context.Context) error {
		_, err := p.catalog.AddPostMetrics(ctx, catalogAdmin, p.post.ID, catalog.PostReading{Likes: &likes, Views: &views, Followers: new(10 * likes)})
		return err
	})
}

// want compares the post's actions, oldest first: "like 3 0.30 pending".
func (p *posted) want(what string, actions ...string) {
	p.Helper()
	var have []string
	for _, a := range must(p.Ledger.Actions(p.ctx, adminScope, ActionFilter{TaskID: p.link.TaskID}, Page{}))(p).Items {
		have = append(have, fmt.Sprint(a.Event, " ", a.Quantity, " ", *a.Payout, " ", a.State))
	}
	equal(p, what, strings.Join(have, ", "), strings.Join(actions, ", "))
}

func TestPostEarnsAsItsMetricsGrow(t *testing.T) {
	t.Parallel()
	p := newPosted(t, `{"margin_rate":"0.50","cost_per":{"post":"5","like":"0.10","follower":"0.01"}}`)
	p.seen(3, 100)
	p.want("nobody has judged it")
	p.judge("effective")
	p.want("effective", "post 1 5.00 pending", "like 3 0.30 pending", "follower 30 0.30 pending")
	p.judge("warning")
	p.seen(8, 200)
	p.want("grown", "post 1 5.00 pending", "like 8 0.80 pending", "follower 30 0.30 pending")
	p.seen(6, 200)
	p.want("shrunk", "post 1 5.00 pending", "like 6 0.60 pending", "follower 30 0.30 pending")
	var committed int64
	ok(t, p.db.Write(p.ctx, committedOf(p.campaignID, &committed)))
	equal(t, "committed", committed, 2*590)
	p.advance(90 * 24 * time.Hour)
	p.want("nothing locks by itself", "post 1 5.00 pending", "like 6 0.60 pending", "follower 30 0.30 pending")

	p.judge("ineffective")
	p.want("ineffective", "post 1 5.00 reversed", "like 6 0.60 reversed", "follower 30 0.30 reversed")
	ok(t, p.db.Write(p.ctx, committedOf(p.campaignID, &committed)))
	equal(t, "committed for nothing", committed, 0)
	p.judge("effective")
	p.judge("approved")
	reversed := []string{"post 1 5.00 reversed", "like 6 0.60 reversed", "follower 30 0.30 reversed"}
	approved := append(reversed, "post 1 5.00 locked", "like 6 0.60 locked", "follower 30 0.30 locked")
	p.want("approved", approved...)
	p.seen(2, 200)
	p.want("never less than was approved", approved...)
	p.seen(9, 200)
	p.want("more than was approved", append(approved, "like 3 0.30 locked")...)
}

func TestPostGrowsWithinTheBudget(t *testing.T) {
	t.Parallel()
	p := newPosted(t, `{"margin_rate":"0.50","budget":{"amount":"10.00"},"max_creator_payout":"6.00","cost_per":{"like":"1"}}`)
	p.judge("effective")
	p.seen(4, 0)
	p.seen(7, 0)
	p.want("what has no room waits", "like 4 4.00 pending", "like 3 0.00 held")
	equal(t, "status", p.campaign(p.campaignID).Status, "over_budget")
	p.seen(9, 0)
	p.want("growing while it waits", "like 4 4.00 pending", "like 5 0.00 held")
	p.judge("approved")
	p.want("approved while it waits", "like 4 4.00 locked", "like 5 0.00 held")
	p.patch(p.campaignID, `{"budget":{"amount":"100.00"}}`)
	p.want("released, within the creator's maximum", "like 4 4.00 locked", "like 5 2.00 locked")
}

func TestPostsArePaidWithTheRunTheyWereApprovedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ posted, approved, pay string }{
		{"2027-01-10T09:00:00Z", "2027-01-20T00:00:00Z", "2027-02-04T16:00:00Z"},
		{"2027-01-10T09:00:00Z", "2027-02-04T16:00:00Z", "2027-02-04T16:00:00Z"},
		{"2027-01-10T09:00:00Z", "2027-02-04T16:00:00.001Z", "2027-03-04T16:00:00Z"},
		{"2027-01-01T09:00:00Z", "2027-01-02T00:00:00Z", "2027-02-04T16:00:00Z"},
		{"2026-12-31T17:00:00Z", "2026-12-31T17:00:00Z", "2027-02-04T16:00:00Z"},
		{"2026-12-31T15:59:59Z", "2027-01-01T00:00:00Z", "2027-01-04T16:00:00Z"},
	} {
		equal(t, c.posted+" "+c.approved, defaultPostCutoff.run(instant(c.posted), instant(c.approved)), instant(c.pay))
	}
	p := newPosted(t, `{"cost_per":{"post":"5"}}`)
	p.judge("effective")
	p.judge("approved")
	at := instant("2027-02-04T16:00:00Z")
	equal(t, "next due", must(p.NextDue(p.ctx))(t), at)
	p.nowMs.Store(int64(at) - 1)
	ok(t, p.Tick(p.ctx))
	p.want("before the run", "post 1 5.00 locked")
	p.advance(time.Millisecond)
	p.want("at the run", "post 1 5.00 payable")
	_, err := p.Reverse(p.ctx, adminScope, must(p.Ledger.Actions(p.ctx, adminScope, ActionFilter{}, Page{}))(t).Items[0].ID, "other", "")
	refused(t, "reversing what was approved", err, attribution.CodeConflict)
}

func TestSingleApprovalWaitsForThePost(t *testing.T) {
	t.Parallel()
	p := newPosted(t, `{"cost_per":{"post":"5"}}`)
	p.judge("effective")
	id := must(p.Ledger.Actions(p.ctx, adminScope, ActionFilter{}, Page{}))(t).Items[0].ID
	must(p.Approve(p.ctx, adminScope, id))(t)
	p.advance(90 * 24 * time.Hour)
	p.want("without the post's approval", "post 1 5.00 locked")
	p.judge("approved")
	p.advance(31 * 24 * time.Hour)
	p.want("with it", "post 1 5.00 payable")
}

func TestAdjustedPostKeepsItsWorthUntilItIsMeasuredAnew(t *testing.T) {
	t.Parallel()
	p := newPosted(t, `{"budget":{"amount":"1000.00"},"cost_per":{"post":"50","like":"0.10"}}`)
	adjust := func(event, payout string) {
		t.Helper()
		for _, a := range must(p.Ledger.Actions(p.ctx, adminScope, ActionFilter{}, Page{}))(t).Items {
			if a.Event == event && a.State == Pending {
				must(p.Adjust(p.ctx, adminScope, a.ID, Adjustment{Payout: new(attribution.Decimal(payout)), Reason: "agreed"}))(t)
			}
		}
	}
	p.judge("effective")
	p.seen(20, 0)
	adjust("post", "30.00")
	adjust("like", "5.00")
	p.want("adjusted", "post 1 30.00 pending", "like 20 5.00 pending")
	p.judge("warning")
	p.seen(20, 900)
	p.want("what else changes", "post 1 30.00 pending", "like 20 5.00 pending")
	p.seen(21, 900)
	p.want("its quantity changed", "post 1 30.00 pending", "like 21 2.10 pending")
	adjust("like", "5.00")
	p.patch(p.campaignID, `{"cost_per":{"post":"50","like":"0.20"}}`)
	p.judge("effective")
	p.want("its price changed", "post 1 30.00 pending", "like 21 4.20 pending")
	adjust("like", "4.00")
	p.judge("approved")
	p.want("approved", "post 1 30.00 locked", "like 21 4.00 locked")
	p.seen(31, 900)
	p.want("more", "post 1 30.00 locked", "like 21 4.00 locked", "like 10 2.00 locked")
}
