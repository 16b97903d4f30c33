package reports

import (
	"context"
	"io"
	"maps"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
)

// Links finds the link a click id names.
type Links interface {
	LinkByNumber(ctx context.Context, scope catalog.Scope, number uint64) (catalog.Link, error)
}

// readers are the roles that see figures, each its own.
var readers = []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}

// Routes are the API's operations on figures and clicks.
func Routes(r *Reports, links Links, keys *attribution.ClickKeyring, now func() time.Time) admin.Routes {
	return func(api *admin.API) {
		registerReport(api, r, now, admin.Operation{
			ID: "report-performance", Path: "/v1/reports/performance", Summary: "Figures by up to three groupings",
		}, func(in *performanceInput) ([]string, *FiguresInput) { return in.GroupBy, &in.FiguresInput })
		registerReport(api, r, now, admin.Operation{
			ID: "report-campaigns", Path: "/v1/reports/campaigns", Summary: "Performance by campaign",
		}, func(in *FiguresInput) ([]string, *FiguresInput) { return []string{"campaign"}, in })
		registerReport(api, r, now, admin.Operation{
			ID: "report-platforms", Path: "/v1/reports/platforms", Summary: "Performance by social platform",
		}, func(in *FiguresInput) ([]string, *FiguresInput) { return []string{"platform"}, in })
		registerColumns(api)
		registerClicks(api, r, now)
		registerClick(api, r, links, keys)
	}
}

// FiguresInput is what every report can be asked. It is exported because huma
// reads embedded parameters of exported types only.
type FiguresInput struct {
	From   string `query:"from" doc:"Day in tz, or RFC 3339 time; included. The first click by default" example:"2027-01-01"`
	To     string `query:"to" doc:"Day in tz, or RFC 3339 time; not included. Now by default" example:"2027-02-01"`
	TZ     string `query:"tz" doc:"IANA time zone of days; UTC by default" example:"Asia/Bangkok"`
	Sort   string `query:"sort" doc:"A field of the answer, with - in front for falling order" example:"-clicks"`
	Limit  int    `query:"limit" doc:"Most rows, 1 to 100,000; 1,000 by default"`
	Format string `query:"format" enum:"json,csv,xlsx" doc:"json by default"`

	Columns []string `query:"columns" doc:"The figures to answer with; all by default. Fewer are faster" example:"clicks,actions,payout"`
	Compare string   `query:"compare" enum:"previous" doc:"previous: every row also has the figures of the period before (as many whole months in tz, else as many whole days, else as much time) and the change. Needs from"`
	AsOf    string   `query:"as_of" doc:"RFC 3339 time: money and posts as they stood then, clicks received by then. Verdicts are today's" example:"2027-02-01T00:00:00Z"`

	AdvertiserID     []string `query:"advertiser_id"`
	CampaignID       []string `query:"campaign_id"`
	Platform         []string `query:"platform"`
	CreatorID        []string `query:"creator_id"`
	TaskID           []string `query:"task_id"`
	PostID           []string `query:"post_id"`
	LinkID           []string `query:"link_id"`
	Currency         []string `query:"currency"`
	Event            []string `query:"event" doc:"Narrows the figures of actions; clicks have no event"`
	Code             []string `query:"code"`
	ObservedPlatform []string `query:"observed_platform"`
	Country          []string `query:"country"`
	Device           []string `query:"device"`
	OS               []string `query:"os"`
	Referrer         []string `query:"referrer"`
}

type performanceInput struct {
	GroupBy []string `query:"group_by" doc:"Up to three of: advertiser campaign platform creator task post link currency event code observed_platform country device os referrer hour day week month" example:"campaign,day"`
	FiguresInput
}

func (in *FiguresInput) question(groupBy []string) Question {
	filters := given(map[string][]string{
		"advertiser_id": in.AdvertiserID, "campaign_id": in.CampaignID, "platform": in.Platform, "creator_id": in.CreatorID,
		"task_id": in.TaskID, "post_id": in.PostID, "link_id": in.LinkID, "currency": in.Currency,
		"event": in.Event, "code": in.Code,
		"observed_platform": in.ObservedPlatform, "country": in.Country, "device": in.Device, "os": in.OS, "referrer": in.Referrer,
	})
	return Question{
		GroupBy: groupBy, From: in.From, To: in.To, TZ: in.TZ, Filters: filters, Sort: in.Sort, Limit: in.Limit,
		Columns: in.Columns, Compare: in.Compare, AsOf: in.AsOf,
	}
}

// A reportBody is a report as JSON, or as a file.
type reportBody struct {
	Rows        []reportRow          `json:"rows" doc:"What it was grouped by, currency, and the figures"`
	Totals      []reportRow          `json:"totals" doc:"The figures of the whole period, one row per currency"`
	Truncated   bool                 `json:"truncated" doc:"There are more rows than limit"`
	DataThrough attribution.Instant  `json:"data_through" doc:"Everything received before it is included"`
	LagMs       int64                `json:"lag_ms"`
	AsOf        *attribution.Instant `json:"as_of,omitempty" doc:"When the figures stood as they are here"`
	Compared    *comparedPeriods     `json:"compared,omitempty" doc:"With compare: the two periods"`

	format admin.FileFormat
	report *Report
}

// ContentType names the form the answer is written in.
func (b *reportBody) ContentType(wanted string) string { return b.format.ContentType(wanted) }

// WriteFile writes the report as a file.
func (b *reportBody) WriteFile(w io.Writer) error { return b.report.WriteFile(w, b.format) }

type reportOutput struct {
	Disposition string `header:"Content-Disposition"`
	Body        *reportBody
}

func registerReport[I any](api *admin.API, r *Reports, now func() time.Time, op admin.Operation, read func(*I) ([]string, *FiguresInput)) {
	op.Method, op.Tag, op.Roles = http.MethodGet, "Reports", readers
	admin.Register(api, op, func(ctx context.Context, in *I) (*reportOutput, error) {
		groupBy, asked := read(in)
		query, err := NewQuery(scopeOf(ctx), asked.question(groupBy), now())
		if err != nil {
			return nil, err
		}
		report, err := r.Performance(ctx, query, now())
		if err != nil {
			return nil, err
		}
		format := admin.FileFormat(asked.Format)
		out := &reportOutput{Disposition: format.Disposition(op.ID), Body: bodyOf(report)}
		out.Body.format = format
		return out, nil
	})
}

func bodyOf(report *Report) *reportBody {
	body := &reportBody{
		Rows: make([]reportRow, len(report.Rows)), Totals: make([]reportRow, len(report.Totals)),
		Truncated: report.Truncated, DataThrough: attribution.InstantOf(report.DataThrough), LagMs: report.Lag.Milliseconds(),
		report: report,
	}
	if !report.AsOf.IsZero() {
		at := attribution.InstantOf(report.AsOf)
		body.AsOf = &at
	}
	if !report.PreviousFrom.IsZero() {
		body.Compared = &comparedPeriods{attribution.InstantOf(report.From), attribution.InstantOf(report.To), attribution.InstantOf(report.PreviousFrom)}
	}
	for i := range report.Rows {
		body.Rows[i] = fieldsOf(report, &report.Rows[i], report.Groupings)
	}
	for i := range report.Totals {
		body.Totals[i] = fieldsOf(report, &report.Totals[i], nil)
	}
	return body
}

type clicksInput struct {
	From   string `query:"from" doc:"RFC 3339 time or day (UTC), included"`
	To     string `query:"to" doc:"RFC 3339 time or day (UTC), not included"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" doc:"1 to 1,000; 100 by default"`

	HitFilter
}

// A HitFilter narrows a list of hits by values, any of those of one field.
type HitFilter struct {
	AdvertiserID     []string `query:"advertiser_id"`
	CampaignID       []string `query:"campaign_id"`
	CreatorID        []string `query:"creator_id"`
	TaskID           []string `query:"task_id"`
	PostID           []string `query:"post_id"`
	LinkID           []string `query:"link_id"`
	Platform         []string `query:"platform"`
	ObservedPlatform []string `query:"observed_platform"`
	Verdict          []string `query:"verdict" doc:"valid test probe prefetch preview bot datacenter rate"`
	Country          []string `query:"country"`
	Device           []string `query:"device"`
	OS               []string `query:"os"`
	Unpayable        []string `query:"unpayable"`
}

func (f *HitFilter) filters() map[string][]string {
	return given(map[string][]string{
		"advertiser_id": f.AdvertiserID, "campaign_id": f.CampaignID, "creator_id": f.CreatorID, "task_id": f.TaskID,
		"post_id": f.PostID, "link_id": f.LinkID, "platform": f.Platform, "observed_platform": f.ObservedPlatform,
		"verdict": f.Verdict, "country": f.Country, "device": f.Device, "os": f.OS, "unpayable": f.Unpayable,
	})
}

// given leaves out the fields without a value.
func given(filters map[string][]string) map[string][]string {
	maps.DeleteFunc(filters, func(_ string, values []string) bool { return len(values) == 0 })
	return filters
}

type clicksOutput struct {
	Body struct {
		Items       []Click             `json:"items"`
		NextCursor  *string             `json:"next_cursor"`
		DataThrough attribution.Instant `json:"data_through" doc:"Everything received before it is included"`
	}
}

func registerClicks(api *admin.API, r *Reports, now func() time.Time) {
	admin.Register(api, admin.Operation{
		ID: "list-clicks", Method: http.MethodGet, Path: "/v1/clicks", Tag: "Clicks", Roles: readers,
		Summary: "Hits on tracking links, newest first, with verdict and reasons",
	}, func(ctx context.Context, in *clicksInput) (*clicksOutput, error) {
		question := ClickQuestion{From: in.From, To: in.To, Cursor: in.Cursor, Limit: in.Limit, Filters: in.filters()}
		page, err := r.Clicks(ctx, scopeOf(ctx), question, now())
		if err != nil {
			return nil, err
		}
		out := new(clicksOutput)
		out.Body.Items, out.Body.DataThrough = page.Clicks, attribution.InstantOf(page.DataThrough)
		out.Body.NextCursor = orNull(page.NextCursor)
		return out, nil
	})
}

type clickInput struct {
	ClickID string `path:"click_id"`
}

type clickOutput struct{ Body *Click }

func registerClick(api *admin.API, r *Reports, links Links, keys *attribution.ClickKeyring) {
	admin.Register(api, admin.Operation{
		ID: "get-click", Method: http.MethodGet, Path: "/v1/clicks/{click_id}", Tag: "Clicks", Roles: readers,
		Summary: "One hit by its click id",
	}, func(ctx context.Context, in *clickInput) (*clickOutput, error) {
		token, err := keys.OpenClickID(in.ClickID)
		if err != nil {
			return nil, attribution.Refuse(attribution.CodeNotFound, "this is not a click id of this server, or it was altered")
		}
		link, err := links.LinkByNumber(ctx, admin.ScopeOf(ctx), token.Link)
		if err != nil {
			return nil, err
		}
		click, err := r.Click(ctx, ClickKey{
			ClickID: in.ClickID, AdvertiserID: link.AdvertiserID, CampaignID: link.CampaignID, LinkID: link.ID, AtMs: token.AtMs,
		})
		if err != nil {
			return nil, err
		}
		if click == nil {
			return nil, attribution.Refuse(attribution.CodeNotFound, "this click is not stored yet; clicks show within two seconds")
		}
		return &clickOutput{Body: click}, nil
	})
}

// scopeOf narrows to what the asker's key may see.
func scopeOf(ctx context.Context) Scope {
	scope := admin.ScopeOf(ctx)
	if scope.Role == catalog.RoleAdmin {
		return Scope{All: true}
	}
	return Scope{AdvertiserID: scope.AdvertiserID, CreatorID: scope.CreatorID}
}
