package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type (
	makeSecretInput struct {
		ByID
		JSON[catalog.SecretFields]
	}
	listSecretsInput struct {
		ByID
		PageQuery
	}
	bySecretID struct {
		ByID
		SecretID string `path:"secret_id"`
	}
)

// newSecret is a secret with its text, which is shown this once.
type newSecret struct {
	catalog.Secret
	Text string `json:"secret" doc:"Shown now and never again" example:"trb_hmac_…"`
}

func (a *API) secrets() {
	owners := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	const path = "/v1/advertisers/{id}/secrets"
	Register(a, Operation{
		ID: "create-secret", Method: http.MethodPost, Path: path, Tag: "Keys", Summary: "Make an HMAC secret or a postback token",
		Description: "hmac signs what an advertiser's servers post to /t/conversions and /t/refunds; postback is the key of its /t/postback addresses. Two of a kind may be live at a time, so that one can replace the other without a pause. The text is in this answer and nowhere else.",
		Roles:       owners, Status: http.StatusCreated, HoldsSecret: true,
	}, func(ctx context.Context, in *makeSecretInput) (*made[newSecret], error) {
		secret, text, err := a.catalog.CreateSecret(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[newSecret]{Location: "/v1/advertisers/" + in.ID + "/secrets/" + secret.ID, Body: newSecret{secret, text}}, nil
	})
	Register(a, Operation{
		ID: "list-secrets", Method: http.MethodGet, Path: path, Tag: "Keys", Summary: "List an advertiser's secrets", Roles: owners,
	}, func(ctx context.Context, in *listSecretsInput) (*listed[catalog.Secret], error) {
		list, err := a.catalog.Secrets(ctx, ScopeOf(ctx), in.ID, in.Page())
		if err != nil {
			return nil, err
		}
		return inPage(list, func(s catalog.Secret) catalog.Secret { return s }), nil
	})
	Register(a, Operation{
		ID: "archive-secret", Method: http.MethodDelete, Path: path + "/{secret_id}", Tag: "Keys", Summary: "Revoke a secret",
		Roles: owners, Status: http.StatusNoContent,
	}, func(ctx context.Context, in *bySecretID) (*nothing, error) {
		if err := a.catalog.ArchiveSecret(ctx, ScopeOf(ctx), in.ID, in.SecretID); err != nil {
			return nil, err
		}
		return &nothing{}, nil
	})
}
