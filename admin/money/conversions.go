package money

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

type conversionsInput struct {
	admin.PageQuery
	OrderID      string    `query:"order_id" doc:"Then the oldest comes first"`
	AdvertiserID string    `query:"advertiser_id"`
	CreatorID    string    `query:"creator_id" doc:"Who was credited"`
	Event        string    `query:"event"`
	Source       string    `query:"source" enum:"s2s,pixel,tag,postback,import,sandbox"`
	Signed       string    `query:"signed" enum:"true,false"`
	Attributed   string    `query:"attributed" enum:"true,false"`
	Reason       string    `query:"reason" doc:"Why nobody was credited"`
	EventFrom    time.Time `query:"event_from" doc:"event_time from then on"`
	EventTo      time.Time `query:"event_to" doc:"event_time before then"`
}

func (q *conversionsInput) filter() ledger.ConversionFilter {
	return ledger.ConversionFilter{
		OrderID: q.OrderID, AdvertiserID: q.AdvertiserID, CreatorID: q.CreatorID, Event: q.Event, Source: q.Source,
		Signed: orNil(q.Signed), Attributed: orNil(q.Attributed), Reason: q.Reason, EventFrom: attribution.InstantOrNone(q.EventFrom), EventTo: attribution.InstantOrNone(q.EventTo),
	}
}

// orNil is a switch that may be left out.
func orNil(text string) *bool {
	if text == "" {
		return nil
	}
	return new(text == "true")
}

func (a *API) conversions(api *admin.API) {
	operation := func(id, path, summary string) admin.Operation {
		return admin.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: "Conversions", Summary: summary, Roles: everybody}
	}
	admin.Register(api, operation("list-conversions", "/v1/conversions", "List conversions with their actions, newest first"),
		func(ctx context.Context, in *conversionsInput) (*listed[ledger.Conversion], error) {
			return inPage(a.ledger.Conversions(ctx, scopeOf(ctx), in.filter(), pageOf(in.PageQuery)))
		})
	admin.Register(api, operation("get-conversion", "/v1/conversions/{id}", "Read a conversion"),
		func(ctx context.Context, in *admin.ByID) (*answer[ledger.Conversion], error) {
			return answered(a.ledger.Conversion(ctx, scopeOf(ctx), in.ID))
		})
	admin.Register(api, operation("explain-conversion", "/v1/conversions/{id}/explain", "Say who earned a conversion, or why nobody did"),
		func(ctx context.Context, in *admin.ByID) (*answer[ledger.Explanation], error) {
			return answered(a.ledger.ExplainConversion(ctx, scopeOf(ctx), in.ID))
		})
}

type quarantineInput struct {
	admin.PageQuery
	AdvertiserID string `query:"advertiser_id"`
	Code         string `query:"code" doc:"The typed reason"`
	Kind         string `query:"kind" enum:"conversion,refund,landing"`
	OrderID      string `query:"order_id"`
	Replayed     string `query:"replayed" enum:"true,false"`
}

// A Replay names what to settle again.
type Replay struct {
	IDs []string `json:"ids" nullable:"false" doc:"Of reports in quarantine, at most 1,000"`
}

type (
	replayInput  struct{ admin.JSON[Replay] }
	replayOutput struct {
		Body struct {
			Results []ledger.Settled `json:"results" nullable:"false" doc:"What became of each, in the order of the request"`
		}
	}
)

func (a *API) quarantine(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "list-quarantine", Method: http.MethodGet, Path: "/v1/quarantine", Tag: "Conversions",
		Summary: "List reports that could not be taken, newest first", Roles: payers,
	}, func(ctx context.Context, in *quarantineInput) (*listed[ledger.Quarantined], error) {
		filter := ledger.QuarantineFilter{AdvertiserID: in.AdvertiserID, Code: in.Code, Kind: in.Kind, OrderID: in.OrderID, Replayed: orNil(in.Replayed)}
		return inPage(a.ledger.Quarantine(ctx, scopeOf(ctx), filter, pageOf(in.PageQuery)))
	})
	admin.Register(api, admin.Operation{
		ID: "replay-quarantine", Method: http.MethodPost, Path: "/v1/quarantine/replay", Tag: "Conversions",
		Summary: "Settle reports again once what stood in their way is fixed", Roles: payers,
	}, func(ctx context.Context, in *replayInput) (*replayOutput, error) {
		var check attribution.Checker
		ids := in.Value().IDs
		check.Require(len(ids) > 0, "body.ids", "is required: name what to settle again")
		if err := check.Err(); err != nil {
			return nil, err
		}
		results, err := a.ledger.ReplayQuarantine(ctx, scopeOf(ctx), ids...)
		if err != nil {
			return nil, err
		}
		out := new(replayOutput)
		out.Body.Results = results
		return out, nil
	})
}
