package money

import (
	"context"
	"io"
	"net/http"

	"tributary/admin"
	"tributary/admin/sheet"
	"tributary/attribution"
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
		Format       string `query:"format" enum:"json,csv,xlsx" doc:"A file is for the bank, with all that match"`
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

// A payoutsBody is a list of payouts as JSON, or as a file.
type payoutsBody struct {
	page[ledger.CreatorPayout]
	format admin.FileFormat
}

// ContentType names the form the answer is written in.
func (b *payoutsBody) ContentType(wanted string) string { return b.format.ContentType(wanted) }

// WriteFile writes the payouts as the file for the bank.
func (b *payoutsBody) WriteFile(w io.Writer) error {
	file, err := b.format.BeginFile(w, "Payouts", "payout_id", "advertiser_id", "creator_id", "creator_name", "payout_details", "amount", "currency",
		"actions", "state", "as_of", "reference")
	if err != nil {
		return err
	}
	for i := range b.Items {
		p := &b.Items[i]
		amount := sheet.Cell{}
		if p.Amount != nil {
			amount = sheet.Decimal(*p.Amount)
		}
		if err := file.WriteRow(sheet.Text(p.ID), sheet.Text(p.AdvertiserID), sheet.Text(p.CreatorID), sheet.Text(p.CreatorName),
			sheet.Text(string(p.PayoutDetails)), amount, sheet.Text(p.Currency), sheet.Int(p.Actions), sheet.Text(p.State),
			sheet.Time(p.AsOf.Time()), sheet.TextOrNone(p.Reference)); err != nil {
			return err
		}
	}
	return file.Close()
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
	format := admin.FileFormat(in.Format)
	out := &payoutsOutput{Disposition: format.Disposition("payouts"), Body: &payoutsBody{format: format}}
	list := func(asked ledger.Page) (ledger.List[ledger.CreatorPayout], error) {
		return a.ledger.Payouts(ctx, scopeOf(ctx), filter, asked)
	}
	asked := pageOf(in.PageQuery)
	var found ledger.List[ledger.CreatorPayout]
	var err error
	if out.Disposition == "" {
		found, err = list(asked)
	} else {
		found.Items, err = everyPayout(asked.Cursor, maxPayoutRows, list)
	}
	if err != nil {
		return nil, err
	}
	out.Body.Items, out.Body.NextCursor = found.Items, found.NextCursor
	return out, nil
}

// everyPayout reads a list to its end. One of more than most is refused: a file that
// left some out would be paid as if it had all.
func everyPayout(cursor string, most int, list func(ledger.Page) (ledger.List[ledger.CreatorPayout], error)) ([]ledger.CreatorPayout, error) {
	var all []ledger.CreatorPayout
	for {
		part, err := list(ledger.Page{Cursor: cursor, Limit: ledger.MaxLimit})
		if err != nil {
			return nil, err
		}
		all = append(all, part.Items...)
		if len(all) > most || len(all) == most && part.NextCursor != "" {
			return nil, attribution.Refuse(attribution.CodeValidation,
				"more than %d payouts match, and a file has no more: narrow the filter by state, advertiser_id, creator_id or currency", most)
		}
		if cursor = part.NextCursor; cursor == "" {
			return all, nil
		}
	}
}
