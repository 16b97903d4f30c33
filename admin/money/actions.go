package money

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

// ActionQuery narrows a list of actions. It is exported because huma reads
// embedded parameters of exported types only.
type ActionQuery struct {
	OrderID      string    `query:"order_id" doc:"Then the oldest comes first"`
	ConversionID string    `query:"conversion_id"`
	AdvertiserID string    `query:"advertiser_id"`
	CampaignID   string    `query:"campaign_id"`
	CreatorID    string    `query:"creator_id"`
	TaskID       string    `query:"task_id" doc:"Then the oldest comes first"`
	LinkID       string    `query:"link_id"`
	PostID       string    `query:"post_id"`
	Code         string    `query:"code" doc:"In any case"`
	Platform     string    `query:"platform"`
	Event        string    `query:"event"`
	ClickID      string    `query:"click_id"`
	Referral     string    `query:"referral" enum:"click,code,forced,task,post,adjustment"`
	Model        string    `query:"model"`
	Currency     string    `query:"currency"`
	State        string    `query:"state" enum:"held,pending,locked,payable,paid,reversed"`
	Reason       string    `query:"reason" doc:"One of the action's reasons, such as over_budget"`
	Reversal     string    `query:"reversal_reason"`
	Corrects     string    `query:"corrects" doc:"Adjustments of this action"`
	PayoutID     string    `query:"payout_id"`
	TermsVersion int64     `query:"terms_version"`
	EventFrom    time.Time `query:"event_from" doc:"event_time from then on"`
	EventTo      time.Time `query:"event_to" doc:"event_time before then"`
	LockBefore   time.Time `query:"lock_before"`
	PayBefore    time.Time `query:"pay_before"`
	UpdatedSince time.Time `query:"updated_since" doc:"Then the oldest comes first"`
}

func (q *ActionQuery) filter() ledger.ActionFilter {
	return ledger.ActionFilter{
		OrderID: q.OrderID, ConversionID: q.ConversionID, AdvertiserID: q.AdvertiserID, CampaignID: q.CampaignID, CreatorID: q.CreatorID,
		TaskID: q.TaskID, LinkID: q.LinkID, PostID: q.PostID, Code: q.Code, Platform: q.Platform, Event: q.Event, ClickID: q.ClickID,
		Referral: q.Referral, Model: q.Model, Currency: q.Currency, State: q.State, Reason: q.Reason, Reversal: q.Reversal,
		Corrects: q.Corrects, PayoutID: q.PayoutID, TermsVersion: q.TermsVersion, EventFrom: attribution.InstantOrNone(q.EventFrom), EventTo: attribution.InstantOrNone(q.EventTo),
		LockBefore: attribution.InstantOrNone(q.LockBefore), PayBefore: attribution.InstantOrNone(q.PayBefore), UpdatedSince: attribution.InstantOrNone(q.UpdatedSince),
	}
}

type actionsInput struct {
	admin.PageQuery
	ActionQuery
}

func (a *API) actions(api *admin.API) {
	operation := func(id, path, summary string) admin.Operation {
		return admin.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: "Actions", Summary: summary, Roles: everybody}
	}
	admin.Register(api, operation("list-actions", "/v1/actions", "List actions, newest first"),
		func(ctx context.Context, in *actionsInput) (*listed[ledger.Action], error) {
			return inPage(a.ledger.Actions(ctx, scopeOf(ctx), in.filter(), pageOf(in.PageQuery)))
		})
	admin.Register(api, operation("get-action", "/v1/actions/{id}", "Read an action"),
		func(ctx context.Context, in *admin.ByID) (*answer[ledger.Action], error) {
			return answered(a.ledger.Action(ctx, scopeOf(ctx), in.ID))
		})
	admin.Register(api, operation("explain-action", "/v1/actions/{id}/explain", "Say why an action is whose it is"),
		func(ctx context.Context, in *admin.ByID) (*answer[ledger.Explanation], error) {
			return answered(a.ledger.ExplainAction(ctx, scopeOf(ctx), in.ID))
		})
	admin.Register(api, operation("list-action-history", "/v1/actions/{id}/history", "List what was done to an action, oldest first"),
		func(ctx context.Context, in *admin.ByID) (*listed[ledger.Entry], error) {
			return all(a.ledger.History(ctx, scopeOf(ctx), in.ID))
		})
}
