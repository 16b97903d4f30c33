package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"

	"tributary/attribution"
)

// What posts earn by: the events of their actions.
const (
	EventPost     = "post"
	EventLike     = "like"
	EventView     = "view"
	EventShare    = "share"
	EventComment  = "comment"
	EventFollower = "follower"
)

// The statuses of posts, as the catalog has them.
const (
	postEffective   = "effective"
	postWarning     = "warning"
	postIneffective = "ineffective"
	postApproved    = "approved"
)

// verbMeasured is of an entry that follows from what a post achieved.
const verbMeasured = "measured"

// maxWorthMinor bounds what one metric of one post may be worth, in minor units.
const maxWorthMinor = 1_000_000_000_000_000

// A postFacts is what a post's actions depend on.
type postFacts struct {
	id, taskID, campaignID, creatorID, advertiserID, platform, status string
	postedAt, startsAt                                                attribution.Instant
	prices                                                            costPer
	seen                                                              map[string]int64 // quantities by event
}

// costPer is what a campaign pays for each event of posts.
type costPer struct {
	Post     attribution.Decimal `json:"post"`
	Like     attribution.Decimal `json:"like"`
	View     attribution.Decimal `json:"view"`
	Share    attribution.Decimal `json:"share"`
	Comment  attribution.Decimal `json:"comment"`
	Follower attribution.Decimal `json:"follower"`
}

// A postPrice is what one unit of an event pays; empty: nothing.
type postPrice struct {
	event string
	price attribution.Decimal
}

func (c *costPer) all() []postPrice {
	return []postPrice{
		{EventPost, c.Post}, {EventLike, c.Like}, {EventView, c.View}, {EventShare, c.Share}, {EventComment, c.Comment}, {EventFollower, c.Follower},
	}
}

// PostChanged is called inside the transaction that made, judged, measured or
// archived a post, with the scope that did: it brings the post's actions to what the post
// earns by the campaign's cost_per.
//
// While a post is effective or has a warning, its actions are pending and follow
// its metrics. Being approved locks them; what it achieves from then on makes
// further actions, and nothing is taken back. One that is ineffective has its
// actions reversed that are not locked.
//
// An action that a person adjusted stays as it is until its own quantity or its
// price is another one: then it is worth quantity × price again.
func (l *Ledger) PostChanged(ctx context.Context, scope Scope, postID string) error {
	return l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		post, err := w.post(ctx, postID)
		if err != nil {
			return err
		}
		switch post.status {
		case postEffective, postWarning, postApproved:
			for _, p := range post.prices.all() {
				if err := w.measure(ctx, post, p.event, p.price); err != nil {
					return err
				}
			}
			if post.status == postApproved {
				err = w.approvePost(ctx, post)
			}
		case postIneffective:
			err = w.reversePost(ctx, post)
		}
		if err != nil {
			return err
		}
		if err := w.tellPost(ctx, postID); err != nil {
			return err
		}
		return w.releaseOverBudget(ctx, post.campaignID)
	})
}

func (w *writing) post(ctx context.Context, id string) (*postFacts, error) {
	p := &postFacts{id: id}
	var fields string
	err := w.Row(ctx, "ledger.post", id).Scan(&p.taskID, &p.campaignID, &p.creatorID, &p.advertiserID, &p.platform, &p.status, &p.postedAt, &p.startsAt, &fields)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("post", id)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading a post: %w", err)
	}
	var campaign struct {
		CostPer costPer `json:"cost_per"`
	}
	if err := decode(fields, &campaign); err != nil {
		return nil, err
	}
	p.prices = campaign.CostPer
	var likes, views, shares, comments, followers int64
	err = w.Row(ctx, "ledger.post_latest", id).Scan(&likes, &views, &shares, &comments)
	if err == nil {
		err = w.Row(ctx, "ledger.post_followers", id, int64(p.startsAt)).Scan(&followers)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("ledger: reading a post's metrics: %w", err)
	}
	p.seen = map[string]int64{EventPost: 1, EventLike: likes, EventView: views, EventShare: shares, EventComment: comments, EventFollower: followers}
	return p, nil
}

// A postBooking is how much of one metric is booked, and the last action of it.
type postBooking struct {
	quantity   int64
	worthMinor int64         // what the last action was measured at: a person may have adjusted it since
	last       *ActionRecord // nil: none yet
}

func (w *writing) postBooking(ctx context.Context, postID, event string) (b postBooking, err error) {
	var actionID string
	err = w.Row(ctx, "ledger.post_booking", postID, event).Scan(&b.quantity, &b.worthMinor, &actionID)
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("ledger: reading what a post was booked for: %w", err)
	}
	b.last, err = scanAction(w.Row(ctx, "ledger.action", actionID))
	return b, err
}

// measure brings the actions of one metric to its quantity. The last action
// follows it while it is open; what goes beyond that has room in no open action,
// or none in the budget, becomes a further action.
func (w *writing) measure(ctx context.Context, post *postFacts, event string, price attribution.Decimal) error {
	booked, err := w.postBooking(ctx, post.id, event)
	if err != nil || price == "" && booked.last == nil {
		return err
	}
	target := post.seen[event]
	settled := booked.quantity // in actions that stand as they are
	if booked.last != nil && booked.last.open() {
		settled -= booked.last.Quantity
		quantity := max(0, target-settled)
		worth, err := worthOf(price, quantity, booked.last.Currency)
		if err != nil || quantity == booked.last.Quantity && worth == booked.worthMinor {
			return err
		}
		followed, err := w.follow(ctx, post, booked.last, price, quantity, worth)
		if err != nil {
			return err
		}
		if followed {
			return w.keepPostBooking(ctx, post, event, postBooking{settled + quantity, worth, booked.last})
		}
		settled = booked.quantity
	}
	if target <= settled {
		return nil
	}
	made, err := w.makePostAction(ctx, post, event, price, target-settled)
	if err != nil {
		return err
	}
	return w.keepPostBooking(ctx, post, event, postBooking{target, made.IntendedMinor, made})
}

// follow brings an open action to a quantity and what that is worth. It does
// nothing and reports false where growing would take the action out of a budget it
// has its part of.
func (w *writing) follow(ctx context.Context, post *postFacts, was *ActionRecord, price attribution.Decimal, quantity, worthMinor int64) (bool, error) {
	p, err := w.purse(ctx, post.campaignID)
	if err != nil {
		return false, err
	}
	if p.overBudget && !was.waits() && worthMinor > was.IntendedMinor {
		return false, nil
	}
	now, over := *was, p.overBudget
	now.Quantity = quantity
	if err := w.rebook(ctx, was, &now, worthMinor); err != nil {
		return false, err
	}
	if now.waits() && !was.waits() {
		p.overBudget = over
		return false, nil
	}
	return true, w.amend(ctx, was, &now, cause{verb: verbMeasured, note: fmt.Sprintf("%d × %s", quantity, price)})
}

func (w *writing) makePostAction(ctx context.Context, post *postFacts, event string, price attribution.Decimal, quantity int64) (*ActionRecord, error) {
	campaign, err := w.facts.campaign(ctx, w, post.campaignID)
	if err != nil {
		return nil, err
	}
	worth, err := worthOf(price, quantity, campaign.currency)
	if err != nil {
		return nil, err
	}
	id, err := w.l.newID(attribution.PrefixAction, w.at)
	if err != nil {
		return nil, err
	}
	a := &ActionRecord{
		ID: id, AdvertiserID: post.advertiserID, CampaignID: post.campaignID, CreatorID: post.creatorID, TaskID: post.taskID, PostID: post.id,
		Platform: post.platform, Event: event, Referral: ReferralPost, Credit: "1", Quantity: quantity, Currency: campaign.currency, Reasons: Reasons{},
		EventTimeMs: int64(post.postedAt), ReceivedAtMs: int64(w.at), TermsVersion: campaign.termsAt(post.postedAt).number,
	}
	if post.status == postApproved {
		a.LockAtMs, a.PayAtMs = int64(w.at), w.payPost(campaign, post, a)
	}
	if err := w.book(ctx, a, worth); err != nil {
		return nil, err
	}
	if err := w.enter(ctx, nil, a, cause{verb: verbMade, note: fmt.Sprintf("%d × %s", quantity, price)}); err != nil {
		return nil, err
	}
	if err := w.nowOver(ctx, a); err != nil {
		return nil, err
	}
	return a, w.tellAction(ctx, verbMade, a)
}

// payPost is when what is approved now becomes payable: with the payout run the
// post is in, and not before the terms say.
func (w *writing) payPost(campaign *campaignFacts, post *postFacts, a *ActionRecord) int64 {
	byTerms := campaign.version(a.TermsVersion).terms.Pay.After(w.at, campaign.zone)
	return int64(max(byTerms, w.l.postCutoff.run(post.postedAt, w.at)))
}

// approvePost locks the post's actions. What waits for budget or is held for a
// suspicion locks when it is released.
func (w *writing) approvePost(ctx context.Context, post *postFacts) error {
	campaign, err := w.facts.campaign(ctx, w, post.campaignID)
	if err != nil {
		return err
	}
	return w.eachPostAction(ctx, post, func(was *ActionRecord) error {
		now := *was
		switch {
		case was.open() && was.LockAtMs == 0:
			now.LockAtMs, now.PayAtMs = int64(w.at), w.payPost(campaign, post, was)
			w.open(&now)
		case was.State == Locked && was.PayAtMs == 0:
			now.PayAtMs = w.payPost(campaign, post, was)
		default:
			return nil
		}
		return w.amend(ctx, was, &now, cause{verb: verbApproved})
	})
}

// reversePost takes back what the post earned and is not locked.
func (w *writing) reversePost(ctx context.Context, post *postFacts) error {
	return w.eachPostAction(ctx, post, func(was *ActionRecord) error {
		if !was.open() {
			return nil
		}
		now := *was
		now.State, now.Reversal, now.ReversedAtMs = Reversed, "rejected", int64(w.at)
		if err := w.amend(ctx, was, &now, cause{verb: verbReversed, reason: now.Reversal, note: "the post is ineffective"}); err != nil {
			return err
		}
		booked, err := w.postBooking(ctx, post.id, was.Event)
		if err != nil {
			return err
		}
		booked.quantity -= was.Quantity
		return w.keepPostBooking(ctx, post, was.Event, booked)
	})
}

func (w *writing) eachPostAction(ctx context.Context, post *postFacts, do func(*ActionRecord) error) error {
	var all []*ActionRecord
	err := w.each(ctx, "ledger.post_actions", func(row scanner) error {
		a, err := scanAction(row)
		all = append(all, a)
		return err
	}, post.id)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := do(a); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) keepPostBooking(ctx context.Context, post *postFacts, event string, b postBooking) error {
	_, err := w.Exec(ctx, "ledger.keep_post_booking", post.id, event, b.quantity, b.worthMinor, b.last.ID, int64(w.at))
	return err
}

// worthOf is quantity × price in minor units. The price was checked when the
// campaign was written.
func worthOf(price attribution.Decimal, quantity int64, currency string) (int64, error) {
	if price == "" {
		return 0, nil
	}
	minor, err := attribution.ParseMoney(price, currency)
	if err != nil {
		return 0, fmt.Errorf("ledger: reading a campaign's cost_per: %w", err)
	}
	high, worth := bits.Mul64(uint64(minor), uint64(quantity))
	if high != 0 || worth > maxWorthMinor {
		return 0, conflict("%d × %s %s is more than can be paid at once", quantity, price, currency)
	}
	return int64(worth), nil
}
