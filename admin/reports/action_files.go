package reports

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"tributary/admin"
	"tributary/admin/sheet"
	"tributary/attribution"
	"tributary/ledger"
)

// A listedField is one column of a file of actions, named as the field of the
// JSON answer is.
type listedField struct {
	name string
	cell func(*ledger.Action) sheet.Cell
}

var listedFields = []listedField{
	{"id", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.ID) }},
	{"conversion_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.ConversionID) }},
	{"advertiser_id", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.AdvertiserID) }},
	{"campaign_id", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.CampaignID) }},
	{"creator_id", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.CreatorID) }},
	{"task_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.TaskID) }},
	{"link_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.LinkID) }},
	{"post_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.PostID) }},
	{"code", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.Code) }},
	{"platform", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.Platform) }},
	{"event", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.Event) }},
	{"order_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.OrderID) }},
	{"click_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.ClickID) }},
	{"referral", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.Referral) }},
	{"model", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.Model) }},
	{"credit", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.Credit) }},
	{"quantity", func(a *ledger.Action) sheet.Cell { return sheet.Int(a.Quantity) }},
	{"amount", func(a *ledger.Action) sheet.Cell { return sheet.Decimal(a.Amount) }},
	{"currency", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.Currency) }},
	{"payout", func(a *ledger.Action) sheet.Cell { return moneyCell(a.Payout) }},
	{"intended_payout", func(a *ledger.Action) sheet.Cell { return moneyCell(a.IntendedPayout) }},
	{"cost", func(a *ledger.Action) sheet.Cell { return moneyCell(a.Cost) }},
	{"state", func(a *ledger.Action) sheet.Cell { return sheet.Text(a.State) }},
	{"reasons", func(a *ledger.Action) sheet.Cell { return sheet.Text(strings.Join(a.Reasons, " ")) }},
	{"reversal_reason", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.ReversalReason) }},
	{"notes", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.Notes) }},
	{"corrects", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.Corrects) }},
	{"click_time", func(a *ledger.Action) sheet.Cell { return timeCell(a.ClickTime) }},
	{"event_time", func(a *ledger.Action) sheet.Cell { return timeCell(a.EventTime) }},
	{"received_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.ReceivedAt) }},
	{"lock_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.LockAt) }},
	{"pay_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.PayAt) }},
	{"locked_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.LockedAt) }},
	{"payable_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.PayableAt) }},
	{"paid_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.PaidAt) }},
	{"reversed_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.ReversedAt) }},
	{"payout_id", func(a *ledger.Action) sheet.Cell { return sheet.TextOrNone(a.PayoutID) }},
	{"terms_version", func(a *ledger.Action) sheet.Cell { return sheet.Int(a.TermsVersion) }},
	{"seq", func(a *ledger.Action) sheet.Cell { return sheet.Int(a.Seq) }},
	{"created_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.CreatedAt) }},
	{"updated_at", func(a *ledger.Action) sheet.Cell { return timeCell(a.UpdatedAt) }},
}

func moneyCell(amount *string) sheet.Cell {
	if amount == nil {
		return sheet.Cell{}
	}
	return sheet.Decimal(*amount)
}

func timeCell(at *attribution.Instant) sheet.Cell {
	if at == nil {
		return sheet.Cell{}
	}
	return sheet.Time(at.Time())
}

// An actionsFile is a listing on its way into a file. It holds one row at a time.
type actionsFile struct {
	listing *ActionListing
	ctx     context.Context // of the request: the file is written once its handler has returned
	format  admin.FileFormat
}

// rowsTimeout is how long a client may take to read the rows of one question, and
// ClickHouse to find them.
const rowsTimeout = time.Minute

// WriteFile writes every action of the listing, without the bound of a page.
func (f *actionsFile) WriteFile(w io.Writer) error {
	header := make([]string, len(listedFields))
	for i, column := range listedFields {
		header[i] = column.name
	}
	file, err := f.format.BeginFile(w, "Actions", header...)
	if err != nil {
		return err
	}
	cells := make([]sheet.Cell, len(listedFields))
	for more := true; more; {
		more, err = f.writeSome(w, func(_ *ledger.ActionRecord, a ledger.Action) error {
			for i := range listedFields {
				cells[i] = listedFields[i].cell(&a)
			}
			return file.WriteRow(cells...)
		})
		if err != nil {
			return err
		}
	}
	return file.Close()
}

func (f *actionsFile) writeSome(w io.Writer, write func(*ledger.ActionRecord, ledger.Action) error) (more bool, err error) {
	if answer, ok := w.(http.ResponseWriter); ok {
		// The server's bound is one for whole answers; a test's recorder has none.
		_ = http.NewResponseController(answer).SetWriteDeadline(time.Now().Add(rowsTimeout))
	}
	ctx, cancel := context.WithTimeout(f.ctx, rowsTimeout)
	defer cancel()
	return f.listing.next(ctx, streamPage, write)
}
