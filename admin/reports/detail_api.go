package reports

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/ledger"
)

// DetailRoutes are the API's reports beside performance: the listing of actions,
// the funnel, the models side by side, codes and paths.
func DetailRoutes(r *Reports, deciding Deciding, now func() time.Time) admin.Routes {
	return func(api *admin.API) {
		registerActions(api, r, now)
		registerFunnel(api, r, now)
		registerModels(api, r, deciding, now)
		registerCodes(api, r, now)
		registerPaths(api, r, now)
	}
}

// NarrowingInput is what these reports can be narrowed by. It is exported because
// huma reads embedded parameters of exported types only.
type NarrowingInput struct {
	From string `query:"from" doc:"Day in tz, or RFC 3339 time; included. The first by default" example:"2027-01-01"`
	To   string `query:"to" doc:"Day in tz, or RFC 3339 time; not included. Now by default" example:"2027-02-01"`
	TZ   string `query:"tz" doc:"IANA time zone of days; UTC by default" example:"Asia/Bangkok"`

	AdvertiserID []string `query:"advertiser_id"`
	CampaignID   []string `query:"campaign_id"`
	CreatorID    []string `query:"creator_id"`
	TaskID       []string `query:"task_id"`
	Platform     []string `query:"platform"`
}

// narrowing reads an input: its lists of texts are filters by the names of their
// parameters, but for those left out.
func narrowing(in NarrowingInput, more any) Narrowing {
	n := Narrowing{From: in.From, To: in.To, TZ: in.TZ, Filters: map[string][]string{}}
	listFilters(reflect.ValueOf(in), n.Filters)
	if more != nil {
		listFilters(reflect.ValueOf(more), n.Filters)
	}
	return n
}

func listFilters(in reflect.Value, into map[string][]string) {
	for i := range in.NumField() {
		name := in.Type().Field(i).Tag.Get("query")
		if values, ok := in.Field(i).Interface().([]string); ok && name != "group_by" && len(values) > 0 {
			into[name] = values
		}
	}
}

// A fileOutput is an answer that can be a file.
type fileOutput[T any] struct {
	Disposition string `header:"Content-Disposition"`
	Body        *T
}

// reported is when what a report tells is told of.
type reported struct {
	DataThrough attribution.Instant `json:"data_through" doc:"Everything received before it is included"`
	LagMs       int64               `json:"lag_ms"`
}

func reportedAt(through time.Time, lag time.Duration) reported {
	return reported{attribution.InstantOf(through), lag.Milliseconds()}
}

func detailOperation(id, path, summary, description string) admin.Operation {
	return admin.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: "Reports", Summary: summary, Description: description, Roles: readers}
}

type actionsInput struct {
	From   string `query:"from" doc:"event_time: day in tz, or RFC 3339 time; included" example:"2027-01-01"`
	To     string `query:"to" doc:"event_time: day in tz, or RFC 3339 time; not included" example:"2027-02-01"`
	TZ     string `query:"tz" doc:"IANA time zone of days; UTC by default" example:"Asia/Bangkok"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" doc:"1 to 1,000; 100 by default. A file has all that match"`
	Format string `query:"format" enum:"json,csv,xlsx" doc:"json by default"`
	ActionFilterInput
}

// ActionFilterInput are the filters of actions: one or two for every field.
type ActionFilterInput struct {
	ID             []string `query:"id"`
	ConversionID   []string `query:"conversion_id"`
	AdvertiserID   []string `query:"advertiser_id"`
	CampaignID     []string `query:"campaign_id"`
	CreatorID      []string `query:"creator_id"`
	TaskID         []string `query:"task_id"`
	LinkID         []string `query:"link_id"`
	PostID         []string `query:"post_id"`
	Code           []string `query:"code" doc:"In any case"`
	Platform       []string `query:"platform"`
	Event          []string `query:"event"`
	OrderID        []string `query:"order_id"`
	ClickID        []string `query:"click_id"`
	Referral       []string `query:"referral" doc:"click code forced task post adjustment"`
	Model          []string `query:"model"`
	Credit         []string `query:"credit" doc:"Exact fraction, such as 1/3"`
	Currency       []string `query:"currency"`
	State          []string `query:"state" doc:"held pending locked payable paid reversed" example:"pending,locked"`
	Reason         []string `query:"reason" doc:"One of the action's reasons, such as over_budget"`
	ReversalReason []string `query:"reversal_reason"`
	Notes          []string `query:"notes" doc:"A part of the remarks, in any case; not for creators"`
	Corrects       []string `query:"corrects" doc:"Adjustments of this action"`
	PayoutID       []string `query:"payout_id"`
	Quantity       []string `query:"quantity"`
	TermsVersion   []string `query:"terms_version"`
	Seq            []string `query:"seq"`

	UpdatedSince   string `query:"updated_since" doc:"Changed then or later" example:"2027-01-10T09:00:00Z"`
	ClickTimeFrom  string `query:"click_time_from"`
	ClickTimeTo    string `query:"click_time_to"`
	ReceivedAtFrom string `query:"received_at_from"`
	ReceivedAtTo   string `query:"received_at_to"`
	LockAtFrom     string `query:"lock_at_from"`
	LockAtTo       string `query:"lock_at_to"`
	PayAtFrom      string `query:"pay_at_from"`
	PayAtTo        string `query:"pay_at_to"`
	LockedAtFrom   string `query:"locked_at_from"`
	LockedAtTo     string `query:"locked_at_to"`
	PayableAtFrom  string `query:"payable_at_from"`
	PayableAtTo    string `query:"payable_at_to"`
	PaidAtFrom     string `query:"paid_at_from"`
	PaidAtTo       string `query:"paid_at_to"`
	ReversedAtFrom string `query:"reversed_at_from"`
	ReversedAtTo   string `query:"reversed_at_to"`
	CreatedAtFrom  string `query:"created_at_from"`
	CreatedAtTo    string `query:"created_at_to"`
	UpdatedAtFrom  string `query:"updated_at_from"`
	UpdatedAtTo    string `query:"updated_at_to"`

	AmountMin         string `query:"amount_min" doc:"Amounts go with one currency" example:"49.90"`
	AmountMax         string `query:"amount_max"`
	PayoutMin         string `query:"payout_min"`
	PayoutMax         string `query:"payout_max"`
	IntendedPayoutMin string `query:"intended_payout_min"`
	IntendedPayoutMax string `query:"intended_payout_max"`
	CostMin           string `query:"cost_min" doc:"Not for creators"`
	CostMax           string `query:"cost_max" doc:"Not for creators"`
}

// filters are those that are given, by the names of their parameters.
func (in *ActionFilterInput) filters() map[string][]string {
	filters := map[string][]string{}
	v := reflect.ValueOf(in).Elem()
	listFilters(v, filters)
	for i := range v.NumField() {
		if text, ok := v.Field(i).Interface().(string); ok && text != "" {
			filters[v.Type().Field(i).Tag.Get("query")] = []string{text}
		}
	}
	return filters
}

// An actionsBody is a page of actions as JSON, or all that match as a file.
type actionsBody struct {
	Items      []ledger.Action `json:"items" nullable:"false"`
	NextCursor *string         `json:"next_cursor"`
	reported
	file *actionsFile
}

// ContentType names the form the answer is written in.
func (b *actionsBody) ContentType(wanted string) string {
	if b.file == nil {
		return wanted
	}
	return b.file.format.ContentType(wanted)
}

// WriteFile writes every action that matches.
func (b *actionsBody) WriteFile(w io.Writer) error { return b.file.WriteFile(w) }

func registerActions(api *admin.API, r *Reports, now func() time.Time) {
	op := detailOperation("report-actions", "/v1/reports/actions", "Every action, newest event first, by any of its fields",
		"The fields are those of /v1/actions. A filter takes one value or more, times are days in tz or RFC 3339, amounts go with one currency. "+
			"data_through says how far the listing reaches; what must be read back at once is at /v1/actions. csv and xlsx hold all that match.")
	op.Timeout = -1 // a file is written for as long as it is read; every question to ClickHouse is bounded
	admin.Register(api, op, func(ctx context.Context, in *actionsInput) (*fileOutput[actionsBody], error) {
		question := ActionQuestion{From: in.From, To: in.To, TZ: in.TZ, Cursor: in.Cursor, Limit: in.Limit, Filters: in.filters()}
		format := admin.FileFormat(in.Format)
		out := &fileOutput[actionsBody]{Disposition: format.Disposition("actions"), Body: &actionsBody{Items: []ledger.Action{}}}
		bounded, cancel := context.WithTimeout(ctx, rowsTimeout/2)
		defer cancel()
		if out.Disposition != "" {
			listing, err := r.ActionListing(bounded, scopeOf(ctx), question, now())
			out.Body.file = &actionsFile{listing: listing, ctx: ctx, format: format}
			return out, err
		}
		page, err := r.Actions(bounded, scopeOf(ctx), question, now())
		if err != nil {
			return nil, err
		}
		out.Body.Items, out.Body.NextCursor, out.Body.reported = page.Actions, orNull(page.NextCursor), reportedAt(page.DataThrough, page.Lag)
		return out, nil
	})
}
