package reports

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"tributary/admin"
	"tributary/admin/sheet"
	"tributary/ledger"
)

// A fileTable is an answer as a file of rows.
type fileTable struct {
	format admin.FileFormat
	name   string
	header []string
	rows   [][]sheet.Cell
}

// ContentType names the form the answer is written in.
func (t *fileTable) ContentType(wanted string) string { return t.format.ContentType(wanted) }

// WriteFile writes the rows.
func (t *fileTable) WriteFile(w io.Writer) error {
	file, err := t.format.BeginFile(w, t.name, t.header...)
	if err != nil {
		return err
	}
	for _, row := range t.rows {
		if err := file.WriteRow(row...); err != nil {
			return err
		}
	}
	return file.Close()
}

type funnelInput struct {
	NarrowingInput
	LinkID  []string `query:"link_id"`
	GroupBy string   `query:"group_by" enum:"advertiser,campaign,creator,platform,task,link" doc:"The funnel of each, too" example:"campaign"`
	Format  string   `query:"format" enum:"json,csv,xlsx" doc:"json by default"`
}

type funnelBody struct {
	Rows   []map[string]any `json:"rows" nullable:"false" doc:"With group_by: the group's field and its steps"`
	Totals []FunnelStep     `json:"totals" nullable:"false" doc:"From hits to paid. Each step's clicks are those of the step before, less its lost, with the step's own joined"`
	reported
	fileTable
}

func registerFunnel(api *admin.API, r *Reports, now func() time.Time) {
	op := detailOperation("report-funnel", "/v1/reports/funnel", "How far clicks came: from hits to paid",
		"All clicks of the period by click time, followed until now: hits, valid, unique, landed (the tag saw the shopper), converted (a conversion named the click), "+
			"credited, paid. What is lost at a step, and what joins without the step before, is told with its reason, and sums exactly.")
	admin.Register(api, op, func(ctx context.Context, in *funnelInput) (*fileOutput[funnelBody], error) {
		n := narrowing(in.NarrowingInput, struct {
			LinkID []string `query:"link_id"`
		}{in.LinkID})
		answer, err := r.Funnel(ctx, scopeOf(ctx), n, in.GroupBy, now())
		if err != nil {
			return nil, err
		}
		body := &funnelBody{Rows: []map[string]any{}, Totals: answer.Total, reported: reportedAt(answer.DataThrough, answer.Lag)}
		body.fileTable = fileTable{format: admin.FileFormat(in.Format), name: "Funnel", header: []string{"group", "step", "what", "reason", "clicks"}}
		for _, row := range answer.Rows {
			body.Rows = append(body.Rows, map[string]any{answer.GroupBy: row.Key, "steps": row.Steps})
			body.addSteps(row.Key, row.Steps)
		}
		if answer.GroupBy == "" {
			body.addSteps("", answer.Total)
		}
		return &fileOutput[funnelBody]{body.format.Disposition(op.ID), body}, nil
	})
}

func (b *funnelBody) addSteps(key string, steps []FunnelStep) {
	add := func(step, what, reason string, clicks int64) {
		b.rows = append(b.rows, []sheet.Cell{sheet.Text(key), sheet.Text(step), sheet.Text(what), sheet.Text(reason), sheet.Int(clicks)})
	}
	for _, s := range steps {
		for _, c := range s.Joined {
			add(s.Step, "joined", c.Reason, c.Clicks)
		}
		add(s.Step, "clicks", "", s.Clicks)
		for _, c := range s.Lost {
			add(s.Step, "lost", c.Reason, c.Clicks)
		}
	}
}

type modelsInput struct {
	NarrowingInput
	Event   []string `query:"event"`
	GroupBy []string `query:"group_by" doc:"Up to three of: campaign creator platform task; campaign by default" example:"campaign,platform"`
	Format  string   `query:"format" enum:"json,csv,xlsx" doc:"json by default"`
}

type modelsBody struct {
	Rows        []map[string]any `json:"rows" nullable:"false" doc:"What it was grouped by, currency, and the figures under last, first, linear, position and time_decay: credit, actions, sale_amount, payout"`
	Totals      []map[string]any `json:"totals" nullable:"false" doc:"The same of the whole, one row per currency"`
	Conversions int64            `json:"conversions" doc:"How many were decided, those without a credit included"`
	Most        int64            `json:"max_conversions" doc:"A period with more is refused"`
	reported
	fileTable
}

// modelsTimeout is how long deciding may take.
const modelsTimeout = 2 * time.Minute

func registerModels(api *admin.API, r *Reports, deciding Deciding, now func() time.Time) {
	op := detailOperation("report-models", "/v1/reports/models", "The same period under every attribution model",
		"Each conversion of the period (by event time) is decided again under last, first, linear, position and time_decay, from the clicks and the code of its decision: "+
			"before caps, budget, refunds and reversals. At most "+strconv.Itoa(MaxModelled)+" conversions; a period with more is refused.")
	op.Timeout = modelsTimeout
	admin.Register(api, op, func(ctx context.Context, in *modelsInput) (*fileOutput[modelsBody], error) {
		n := narrowing(in.NarrowingInput, struct {
			Event []string `query:"event"`
		}{in.Event})
		answer, err := r.Models(ctx, scopeOf(ctx), n, in.GroupBy, deciding, now())
		if err != nil {
			return nil, err
		}
		body := &modelsBody{
			Rows: modelFields(answer.Rows, answer.Groupings), Totals: modelFields(answer.Totals, nil), Conversions: answer.Conversions, Most: MaxModelled,
			reported: reportedAt(answer.DataThrough, answer.Lag), fileTable: modelTable(answer, admin.FileFormat(in.Format)),
		}
		return &fileOutput[modelsBody]{body.format.Disposition(op.ID), body}, nil
	})
}

func modelFields(rows []ModelRow, groupings []Dimension) []map[string]any {
	all := make([]map[string]any, len(rows))
	for i, row := range rows {
		all[i] = map[string]any{"currency": row.Currency}
		for k, d := range groupings {
			all[i][d.Field] = row.Keys[k]
		}
		for model, figures := range row.Models {
			all[i][model] = figures
		}
	}
	return all
}

func modelTable(answer *ModelsReport, format admin.FileFormat) fileTable {
	t := fileTable{format: format, name: "Models"}
	for _, d := range answer.Groupings {
		t.header = append(t.header, d.Field)
	}
	t.header = append(t.header, "currency")
	for _, model := range ledger.Models() {
		t.header = append(t.header, model+"_credit", model+"_actions", model+"_sale_amount", model+"_payout")
	}
	for _, row := range answer.Rows {
		var cells []sheet.Cell
		for _, key := range row.Keys {
			cells = append(cells, sheet.Text(key))
		}
		cells = append(cells, sheet.Text(row.Currency))
		for _, model := range ledger.Models() {
			f := row.Models[model]
			cells = append(cells, sheet.Decimal(f.Credit), sheet.Int(f.Actions), sheet.Decimal(f.SaleAmount), moneyCell(f.Payout))
		}
		t.rows = append(t.rows, cells)
	}
	return t
}

type codesInput struct {
	NarrowingInput
	Event   []string `query:"event"`
	Code    []string `query:"code" doc:"In any case"`
	GroupBy []string `query:"group_by" doc:"code, day or both; both by default" example:"code"`
	Sort    string   `query:"sort" doc:"A field of the answer, with - in front for falling order; -uses_without_click by default" example:"-share_without_click"`
	Limit   int      `query:"limit" doc:"Most rows, 1 to 100,000; 1,000 by default"`
	Format  string   `query:"format" enum:"json,csv,xlsx" doc:"json by default"`
}

type codesBody struct {
	Rows      []CodeRow `json:"rows" nullable:"false"`
	Totals    CodeRow   `json:"totals" doc:"Of the whole period"`
	Truncated bool      `json:"truncated" doc:"There are more rows than limit"`
	reported
	fileTable
}

func registerCodes(api *admin.API, r *Reports, now func() time.Time) {
	op := detailOperation("report-codes", "/v1/reports/codes", "The use of codes without a click, by code and day",
		"Conversions that brought a code, by event time, whatever was credited. A code that is used much more often than it is clicked for has leaked to coupon sites.")
	admin.Register(api, op, func(ctx context.Context, in *codesInput) (*fileOutput[codesBody], error) {
		n := narrowing(in.NarrowingInput, struct {
			Event []string `query:"event"`
			Code  []string `query:"code"`
		}{in.Event, in.Code})
		answer, err := r.Codes(ctx, scopeOf(ctx), CodesQuestion{Narrowing: n, GroupBy: in.GroupBy, Sort: in.Sort, Limit: in.Limit}, now())
		if err != nil {
			return nil, err
		}
		body := &codesBody{Rows: answer.Rows, Totals: answer.Total, Truncated: answer.Truncated, reported: reportedAt(answer.DataThrough, answer.Lag)}
		body.fileTable = fileTable{format: admin.FileFormat(in.Format), name: "Codes", header: []string{
			"code", "day", "advertiser_id", "campaign_id", "creator_id", "task_id", "platform", "uses", "uses_without_click", "share_without_click", "credited_uses", "customers",
		}}
		for i := range answer.Rows {
			row := &answer.Rows[i]
			day := sheet.Cell{}
			if row.Day != nil {
				day = sheet.Day(*row.Day)
			}
			body.rows = append(body.rows, []sheet.Cell{
				sheet.TextOrNone(row.Code), day, sheet.TextOrNone(row.AdvertiserID), sheet.TextOrNone(row.CampaignID), sheet.TextOrNone(row.CreatorID),
				sheet.TextOrNone(row.TaskID), sheet.TextOrNone(row.Platform), sheet.Int(row.Uses), sheet.Int(row.UsesWithoutClick), moneyCell(row.ShareWithoutClick),
				sheet.Int(row.CreditedUses), sheet.Int(row.Customers),
			})
		}
		return &fileOutput[codesBody]{body.format.Disposition(op.ID), body}, nil
	})
}

type pathsInput struct {
	NarrowingInput
	Event  []string `query:"event"`
	Limit  int      `query:"limit" doc:"Most paths of each kind, 1 to 200; 20 by default"`
	Format string   `query:"format" enum:"json,csv,xlsx" doc:"json by default"`
}

type pathsBody struct {
	PathsReport
	fileTable
}

func registerPaths(api *admin.API, r *Reports, now func() time.Time) {
	op := detailOperation("report-paths", "/v1/reports/paths", "Touches before conversions, and how long they took",
		"Conversions by event time. A touch is a click of a person at or before the event that the conversion named or that was known of its customer, eligible or not.")
	admin.Register(api, op, func(ctx context.Context, in *pathsInput) (*fileOutput[pathsBody], error) {
		n := narrowing(in.NarrowingInput, struct {
			Event []string `query:"event"`
		}{in.Event})
		answer, err := r.Paths(ctx, scopeOf(ctx), n, in.Limit, now())
		if err != nil {
			return nil, err
		}
		body := &pathsBody{PathsReport: *answer, fileTable: pathsTable(answer, admin.FileFormat(in.Format))}
		return &fileOutput[pathsBody]{body.format.Disposition(op.ID), body}, nil
	})
}

// pathsTable is the report with the name of its part in the first column.
func pathsTable(answer *PathsReport, format admin.FileFormat) fileTable {
	t := fileTable{format: format, name: "Paths", header: []string{"part", "value", "conversions"}}
	add := func(part, value string, conversions int64) {
		t.rows = append(t.rows, []sheet.Cell{sheet.Text(part), sheet.Text(value), sheet.Int(conversions)})
	}
	for _, c := range answer.Touches {
		add("touches", strconv.FormatInt(c.Touches, 10), c.Conversions)
	}
	for _, p := range answer.Platforms {
		add("platforms", strings.Join(p.Path, " > "), p.Conversions)
	}
	for _, p := range answer.Creators {
		add("creators", strings.Join(p.Path, " > "), p.Conversions)
	}
	addTimes := func(part string, took *TimeToConvert) {
		for _, b := range took.Buckets {
			bound := "longer"
			if b.UpToMs != nil {
				bound = "under " + strconv.FormatInt(*b.UpToMs, 10)
			}
			add(part, bound, b.Conversions)
		}
	}
	addTimes("ms_from_first_touch", &answer.FromFirst)
	addTimes("ms_from_last_touch", &answer.FromLast)
	return t
}
