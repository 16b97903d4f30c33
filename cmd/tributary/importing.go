package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"tributary/admin/money"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/redirect/intake/fields"
)

// An importer takes reports that do not come by the tracker: files of
// conversions, and samples. It makes them durable as the tracker does.
type importer struct {
	reader *fields.Reader
	app    *app
}

const (
	importBatch    = 500
	importPatience = 30 * time.Second // for a batch to be settled
)

// Import implements money.Intake.
func (i *importer) Import(ctx context.Context, from money.Importer, file io.Reader, dryRun bool) (money.Imported, error) {
	run := &importRun{importer: i, done: money.Imported{DryRun: dryRun, Errors: []money.LineResult{}}}
	sender := &fields.Sender{
		Source: attribution.SourceImport, AdvertiserID: from.AdvertiserID, KeyID: from.KeyID, Signed: true, Admin: from.Admin, Knows: i.knows(ctx),
	}
	if from.AdvertiserID != "" && !sender.Knows(from.AdvertiserID) {
		return run.done, attribution.Refuse(attribution.CodeNotFound, "there is no advertiser %.64q", from.AdvertiserID)
	}
	for line, err := range i.reader.CSV(sender, file, 0) {
		if err != nil {
			return run.done, unreadable(err)
		}
		if err := run.add(ctx, line); err != nil {
			return run.done, err
		}
	}
	return run.done, run.flush(ctx)
}

// unreadable says of a file that it is not one of conversions.
func unreadable(err error) error {
	var why *fields.Unreadable
	if !errors.As(err, &why) {
		return fmt.Errorf("read a file of conversions: %w", err)
	}
	var check attribution.Checker
	check.Add("body", "%s", why.Reason)
	return check.Err()
}

// knows reports whether there is an advertiser, asking once for each.
func (i *importer) knows(ctx context.Context) func(string) bool {
	known := map[string]bool{}
	return func(id string) bool {
		found, asked := known[id]
		if !asked {
			_, err := i.app.things.Advertiser(ctx, operator, id)
			found = err == nil
			known[id] = found
		}
		return found
	}
}

// An importRun is one file on its way.
type importRun struct {
	*importer
	done    money.Imported
	lines   map[string]fields.Line // of the batch, by receipt
	records [][]byte
}

func (r *importRun) add(ctx context.Context, line fields.Line) error {
	r.done.Lines++
	if line.Rejected != nil {
		r.refuse(line, "rejected", line.Rejected.Code, line.Rejected.Reason)
	}
	switch {
	case line.Report == nil:
		return nil
	case r.done.DryRun:
		return r.foresee(ctx, line)
	}
	record, err := attribution.AppendReport(nil, line.Report)
	if err != nil {
		return err
	}
	r.records = append(r.records, record)
	if line.Rejected == nil {
		if r.lines == nil {
			r.lines = map[string]fields.Line{}
		}
		r.lines[line.Report.ReceiptID] = line
	}
	if len(r.records) == importBatch {
		return r.flush(ctx)
	}
	return nil
}

// flush makes the lines read so far durable and counts what became of them.
func (r *importRun) flush(ctx context.Context) error {
	if len(r.records) == 0 {
		return nil
	}
	if err := r.app.reports.AppendAll(0, r.records); err != nil {
		return fmt.Errorf("store imported conversions: %w", err)
	}
	receipts := make([]string, 0, len(r.lines))
	for receipt := range r.lines {
		receipts = append(receipts, receipt)
	}
	patience, cancel := context.WithTimeout(ctx, importPatience)
	defer cancel()
	settled := r.app.settler.Wait(patience, receipts)
	r.done.Pending += len(receipts) - len(settled)
	for _, result := range settled {
		r.count(r.lines[result.ReceiptID], result.Status, result.Code, result.Reason)
	}
	r.lines, r.records = nil, nil
	return nil
}

// foresee says what would become of a line: an order that is known already is a
// duplicate or a conflict.
func (r *importRun) foresee(ctx context.Context, line fields.Line) error {
	if line.Rejected != nil {
		return nil
	}
	f := &line.Report.Fields
	known, err := r.app.money.Conversions(ctx, ledger.Scope(operator), ledger.ConversionFilter{
		OrderID: f.OrderID, AdvertiserID: line.Report.AdvertiserID, Event: f.Event,
	}, ledger.Page{Limit: 1})
	if err != nil {
		return err
	}
	if len(known.Items) == 0 {
		r.done.Accepted++
		return nil
	}
	first, amount := known.Items[0], ""
	if minor, err := attribution.ParseMoney(f.Amount, f.Currency); f.Amount != "" && err == nil {
		amount = attribution.FormatMoney(minor, f.Currency)
	}
	if orEmpty(first.Amount) == amount && orEmpty(first.Currency) == f.Currency {
		r.done.Duplicate++
		return nil
	}
	r.count(line, ledger.Conflict, ledger.CodeOrderConflict, "the order is known with another amount or currency")
	return nil
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (r *importRun) count(line fields.Line, status, code, reason string) {
	switch status {
	case ledger.Accepted:
		r.done.Accepted++
	case ledger.Duplicate:
		r.done.Duplicate++
	default:
		r.refuse(line, status, code, reason)
	}
}

func (r *importRun) refuse(line fields.Line, status, code, reason string) {
	if status == ledger.Conflict {
		r.done.Conflict++
	} else {
		r.done.Rejected++
	}
	if len(r.done.Errors) < money.MaxLineResults {
		r.done.Errors = append(r.done.Errors, money.LineResult{Line: line.Number, OrderID: line.OrderID, Code: code, Reason: reason})
	}
}

// samplePatience is how long a sample conversion waits to be settled.
const samplePatience = 10 * time.Second

// sample reports one conversion as a merchant's server does, and says what
// became of it.
func (i *importer) sample(ctx context.Context, scope catalog.Scope, advertiserID string, sample attribution.ReportFields) (any, error) {
	if _, err := i.app.things.Advertiser(ctx, scope, advertiserID); err != nil {
		return nil, err
	}
	body, err := json.Marshal(sample)
	if err != nil {
		return nil, fmt.Errorf("write a sample conversion: %w", err)
	}
	from := &fields.Sender{
		Source: attribution.SourceSandbox, AdvertiserID: advertiserID, KeyID: scope.KeyID, Signed: true, Admin: scope.Role == catalog.RoleAdmin,
	}
	var item *fields.Item
	if err := i.reader.Conversions(from, body, false, func(read *fields.Item) { item = read }); err != nil {
		return nil, unreadable(err)
	}
	if item.Rejected != nil {
		return nil, attribution.Refuse(item.Rejected.Code, "%s", item.Rejected.Reason)
	}
	record, err := attribution.AppendReport(nil, item.Report)
	if err != nil {
		return nil, err
	}
	if err := i.app.reports.AppendAll(0, [][]byte{record}); err != nil {
		return nil, fmt.Errorf("store a sample conversion: %w", err)
	}
	patience, cancel := context.WithTimeout(ctx, samplePatience)
	defer cancel()
	settled := i.app.settler.Wait(patience, []string{item.Report.ReceiptID})
	if len(settled) == 0 {
		return ledger.Settled{ReceiptID: item.Report.ReceiptID, OrderID: item.OrderID, Status: ledger.Accepted, Actions: []ledger.ActionBrief{}}, nil
	}
	return settled[0].View(ledger.Scope(scope)), nil
}
