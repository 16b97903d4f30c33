package money

import (
	"context"
	"net/http"

	"tributary/admin"
	"tributary/ledger"
)

type (
	openInquiryInput struct {
		admin.JSON[ledger.InquiryFields]
	}
	inquiriesInput struct {
		admin.PageQuery
		AdvertiserID string `query:"advertiser_id"`
		CreatorID    string `query:"creator_id"`
		CampaignID   string `query:"campaign_id"`
		OrderID      string `query:"order_id"`
		State        string `query:"state" enum:"open,approved,rejected"`
	}
	// Approval may say why an inquiry is approved, and that another creator keeps its pay.
	Approval struct {
		Note  string `json:"note,omitempty"`
		Force bool   `json:"force,omitempty" doc:"Also where another creator is credited with the order: both are paid. Without it that is a 409 that names the other's action"`
	}
	// Refusal says why an inquiry is rejected.
	Refusal struct {
		Reason string `json:"reason" doc:"The creator is told"`
	}
)

func (a *API) inquiries(api *admin.API) {
	const path = "/v1/inquiries"
	operation := func(roles []string, id, method, path, summary string) admin.Operation {
		return admin.Operation{ID: id, Method: method, Path: path, Tag: "Inquiries", Summary: summary, Roles: roles, OptionalBody: method == http.MethodPost}
	}
	open := operation(everybody, "create-inquiry", http.MethodPost, path, "Ask about a sale that is missed")
	open.Status, open.OptionalBody = http.StatusCreated, false
	admin.Register(api, open, func(ctx context.Context, in *openInquiryInput) (*answer[ledger.Inquiry], error) {
		return answered(a.ledger.OpenInquiry(ctx, scopeOf(ctx), in.Value()))
	})
	admin.Register(api, operation(everybody, "list-inquiries", http.MethodGet, path, "List inquiries, newest first"),
		func(ctx context.Context, in *inquiriesInput) (*listed[ledger.Inquiry], error) {
			filter := ledger.InquiryFilter{AdvertiserID: in.AdvertiserID, CreatorID: in.CreatorID, CampaignID: in.CampaignID, OrderID: in.OrderID, State: in.State}
			return inPage(a.ledger.Inquiries(ctx, scopeOf(ctx), filter, pageOf(in.PageQuery)))
		})
	admin.Register(api, operation(everybody, "get-inquiry", http.MethodGet, path+"/{id}", "Read an inquiry"),
		func(ctx context.Context, in *admin.ByID) (*answer[ledger.Inquiry], error) {
			return answered(a.ledger.Inquiry(ctx, scopeOf(ctx), in.ID))
		})
	admin.Register(api, operation(payers, "approve-inquiry", http.MethodPost, path+"/{id}/approve", "Credit the creator with the sale"),
		func(ctx context.Context, in *stepInput[Approval]) (*answer[ledger.Inquiry], error) {
			approval := in.Value()
			return answered(a.ledger.ApproveInquiry(ctx, scopeOf(ctx), in.ID, approval.Note, approval.Force))
		})
	admin.Register(api, operation(payers, "reject-inquiry", http.MethodPost, path+"/{id}/reject", "Refuse an inquiry"),
		func(ctx context.Context, in *stepInput[Refusal]) (*answer[ledger.Inquiry], error) {
			return answered(a.ledger.RejectInquiry(ctx, scopeOf(ctx), in.ID, in.Value().Reason))
		})
}
