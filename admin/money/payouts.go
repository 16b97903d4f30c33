package money

import (
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"strconv"

	"tributary/admin"
	"tributary/ledger"
)

type (
	createPayoutsInput struct {
		admin.JSON[ledger.PayoutRequest]
	}
	payoutsInput struct {
		admin.PageQuery
		AdvertiserID string `query:"advertiser_id"`
		CreatorID    string `query:"creator_id"`
		Currency     string `query:"currency"`
		State        string `query:"state" enum:"open,paid"`
		Format       string `query:"format" enum:"json,csv" doc:"csv is the file for the bank, with all that match"`
	}
	// Payment says that a payout was paid.
	Payment struct {
		Reference string `json:"reference" doc:"The bank's"`
	}
	paidInput struct {
		admin.ByID
		admin.JSON[Payment]
	}
	payoutsOutput struct {
		Disposition string `header:"Content-Disposition"`
		Body        *payoutsBody
	}
)

// A payoutsBody is a list of payouts as JSON, or as a file when csv is set.
type payoutsBody struct {
	page[ledger.CreatorPayout]
	csv bool
}

// ContentType names the form the answer is written in.
func (b *payoutsBody) ContentType(wanted string) string {
	if b.csv {
		return admin.MediaTypeCSV
	}
	return wanted
}

// WriteCSV writes the payouts as the file for the bank.
func (b *payoutsBody) WriteCSV(w io.Writer) error {
	rows := csv.NewWriter(w)
	_ = rows.Write([]string{"payout_id", "advertiser_id", "creator_id", "creator_name", "payout_details", "amount", "currency", "actions", "state", "as_of", "reference"})
	for i := range b.Items {
		p := &b.Items[i]
		_ = rows.Write([]string{
			p.ID, p.AdvertiserID, p.CreatorID, cell(p.CreatorName), cell(string(p.PayoutDetails)), textOf(p.Amount), p.Currency,
			strconv.FormatInt(p.Actions, 10), p.State, p.AsOf.String(), cell(textOf(p.Reference)),
		})
	}
	rows.Flush()
	return rows.Error()
}

// cell keeps a spreadsheet from taking a text that people wrote for a formula.
func cell(text string) string {
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t' || text[0] == '\r') {
		return "'" + text
	}
	return text
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (a *API) payouts(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "create-payouts", Method: http.MethodPost, Path: "/v1/payouts", Tag: "Money", Summary: "Put what is payable into payouts",
		Description: "One for each creator and currency. What sums to less than the advertiser's min_payout, or to nothing, carries over.",
		Roles:       payers, Status: http.StatusCreated,
	}, func(ctx context.Context, in *createPayoutsInput) (*listed[ledger.CreatorPayout], error) {
		return all(a.ledger.CreatePayouts(ctx, scopeOf(ctx), in.Value()))
	})
	admin.Register(api, admin.Operation{
		ID: "list-payouts", Method: http.MethodGet, Path: "/v1/payouts", Tag: "Money", Summary: "List payouts, newest first", Roles: everybody,
	}, a.listPayouts)
	admin.Register(api, admin.Operation{
		ID: "get-payout", Method: http.MethodGet, Path: "/v1/payouts/{id}", Tag: "Money", Summary: "Read a payout", Roles: everybody,
	}, func(ctx context.Context, in *admin.ByID) (*answer[ledger.CreatorPayout], error) {
		return answered(a.ledger.Payout(ctx, scopeOf(ctx), in.ID))
	})
	admin.Register(api, admin.Operation{
		ID: "pay-payout", Method: http.MethodPost, Path: "/v1/payouts/{id}/paid", Tag: "Money", Summary: "Say that a payout was paid",
		Roles: payers, OptionalBody: true,
	}, func(ctx context.Context, in *paidInput) (*answer[ledger.CreatorPayout], error) {
		return answered(a.ledger.MarkPaid(ctx, scopeOf(ctx), in.ID, in.Value().Reference))
	})
}

// maxPayoutRows is how many payouts one file has.
const maxPayoutRows = 100_000

func (a *API) listPayouts(ctx context.Context, in *payoutsInput) (*payoutsOutput, error) {
	filter := ledger.PayoutFilter{AdvertiserID: in.AdvertiserID, CreatorID: in.CreatorID, Currency: in.Currency, State: in.State}
	out := &payoutsOutput{Body: &payoutsBody{csv: in.Format == "csv"}}
	asked := pageOf(in.PageQuery)
	if out.Body.csv {
		out.Disposition, asked.Limit = `attachment; filename="payouts.csv"`, ledger.MaxLimit
	}
	for {
		list, err := a.ledger.Payouts(ctx, scopeOf(ctx), filter, asked)
		if err != nil {
			return nil, err
		}
		out.Body.Items, out.Body.NextCursor = append(out.Body.Items, list.Items...), list.NextCursor
		if out.Body.Items == nil {
			out.Body.Items = []ledger.CreatorPayout{}
		}
		if !out.Body.csv || list.NextCursor == "" || len(out.Body.Items) >= maxPayoutRows {
			return out, nil
		}
		asked.Cursor = list.NextCursor
	}
}
