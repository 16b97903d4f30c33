package sandbox

import (
	"context"
	"net/http"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
)

// Samples make what shoppers and shops would send.
type Samples struct {
	// Links finds the link to click.
	Links interface {
		Link(ctx context.Context, scope catalog.Scope, id string) (catalog.Link, error)
	}
	// Click sends a shopper to a link and returns where the tracker sends it on,
	// and the click's id.
	Click func(ctx context.Context, link catalog.Link, userAgent string) (SampleClick, error)
	// Convert reports a conversion of an advertiser as its server would.
	Convert func(ctx context.Context, scope catalog.Scope, advertiserID string, fields attribution.ReportFields) (any, error)
}

// A SampleClick is what became of a sample click.
type SampleClick struct {
	ClickID  string `json:"click_id"`
	Location string `json:"location" doc:"Where the shopper is sent"`
}

// A ClickRequest asks for a sample click.
type ClickRequest struct {
	LinkID    string `json:"link_id"`
	UserAgent string `json:"user_agent,omitempty" doc:"A phone's browser by default"`
}

// A ConversionRequest asks for a sample conversion.
type ConversionRequest struct {
	AdvertiserID string `json:"advertiser_id,omitempty" doc:"A key of an advertiser may leave it out"`
	attribution.ReportFields
}

type (
	clickInput       struct{ admin.JSON[ClickRequest] }
	clickOutput      struct{ Body SampleClick }
	conversionInput  struct{ admin.JSON[ConversionRequest] }
	conversionOutput struct{ Body any }
)

// samplePhone is the shopper of sample clicks.
const samplePhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"

func (s *Samples) routes(api *admin.API) {
	owners := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	admin.Register(api, admin.Operation{
		ID: "make-sample-click", Method: http.MethodPost, Path: "/v1/sandbox/click", Tag: "Sandbox", Summary: "Click a link as a shopper",
		Roles: owners, Status: http.StatusCreated, Waits: true,
	}, func(ctx context.Context, in *clickInput) (*clickOutput, error) {
		asked := in.Value()
		link, err := s.Links.Link(ctx, admin.ScopeOf(ctx), asked.LinkID)
		if err != nil {
			return nil, err
		}
		if asked.UserAgent == "" {
			asked.UserAgent = samplePhone
		}
		click, err := s.Click(ctx, link, asked.UserAgent)
		if err != nil {
			return nil, err
		}
		return &clickOutput{click}, nil
	})
	admin.Register(api, admin.Operation{
		ID: "make-sample-conversion", Method: http.MethodPost, Path: "/v1/sandbox/conversion", Tag: "Sandbox", Summary: "Report a conversion as a shop's server",
		Roles: owners, Status: http.StatusCreated, Waits: true,
	}, func(ctx context.Context, in *conversionInput) (*conversionOutput, error) {
		asked, scope := in.Value(), admin.ScopeOf(ctx)
		if asked.AdvertiserID == "" {
			asked.AdvertiserID = scope.AdvertiserID
		}
		result, err := s.Convert(ctx, scope, asked.AdvertiserID, asked.ReportFields)
		if err != nil {
			return nil, err
		}
		return &conversionOutput{result}, nil
	})
}
