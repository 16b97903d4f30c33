package intake

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/redirect/intake/fields"
)

// Context is what a Waiter waits under.
type Context = context.Context

// Settled is what became of one report.
type Settled struct {
	ReceiptID    string
	Status       string // accepted, duplicate, conflict or rejected
	Code, Reason string // of a conflict or rejection
	ConversionID string
	Attributed   bool
	Actions      []Action
}

// An Action is one that resulted from a report, in short.
type Action struct {
	ID        string
	CreatorID string
	Payout    string // a decimal in the campaign's currency; empty: not for who asks
	State     string
}

// reports answers POST /t/conversions and /t/refunds.
func (x *Intake) reports(ctx *fasthttp.RequestCtx, kind string, client netip.Addr) {
	if !ctx.IsPost() {
		notAllowed(ctx, "POST")
		return
	}
	sent := x.newBody()
	defer x.forget(ctx, sent)
	why := x.read(ctx, client, sent, true)
	var wait time.Duration
	if why == nil {
		wait, why = waitOf(ctx)
	}
	if why == nil {
		why = plainBody(ctx)
	}
	var from *fields.Sender
	if why == nil {
		from, why = x.authenticate(ctx, client)
	}
	if why != nil {
		x.metrics.refused(why.code)
		refuse(ctx, why)
		return
	}
	b := x.newBatch()
	defer x.release(b)
	if why := x.take(ctx, kind, from, b); why != nil {
		x.metrics.refused(why.code)
		refuse(ctx, why)
		return
	}
	if err := x.store(b); err != nil {
		x.metrics.stored(kind, b, false)
		refuse(ctx, unavailable("the reports cannot be written to disk now; nothing is lost if you send them again"))
		return
	}
	x.metrics.stored(kind, b, true)
	if wait > 0 {
		sent.release(ctx) // others may need the memory meanwhile
		x.await(wait, b, from.Admin)
	}
	answerResults(ctx, b.results)
}

// take reads the body into the batch.
func (x *Intake) take(ctx *fasthttp.RequestCtx, kind string, from *fields.Sender, b *batch) *refusal {
	var fault error
	add := func(item *fields.Item) { fault = errors.Join(fault, b.add(item)) }
	read := x.reader.Conversions
	if kind == attribution.ReportRefund {
		read = x.reader.Refunds
	}
	body := ctx.Request.Body()
	err := read(from, body, isLines(ctx.Request.Header.ContentType()), add)
	if fault != nil {
		x.o.Logger.Error("a report could not be encoded; this is a bug", "error", fault)
		return unavailable("the reports could not be written")
	}
	var unreadable *fields.Unreadable
	if errors.As(err, &unreadable) {
		return x.keepUnreadable(kind, from, unreadable, body)
	}
	return nil
}

// keepUnreadable refuses a body that is no list of reports, and keeps what may be
// kept of it when it is known whose it is.
func (x *Intake) keepUnreadable(kind string, from *fields.Sender, why *fields.Unreadable, body []byte) *refusal {
	refused := &refusal{fasthttp.StatusBadRequest, why.Code, why.Reason}
	if why.Code == fields.CodeTooLarge {
		refused.status = fasthttp.StatusRequestEntityTooLarge
	}
	if from.AdvertiserID != "" {
		if err := x.storeOne(x.reader.Reject(kind, from, why.Code, why.Reason, body)); err != nil {
			return unavailable("the reports cannot be written to disk now")
		}
	}
	return refused
}

// await joins what the settler says within the time the client gives it.
func (x *Intake) await(wait time.Duration, b *batch, admin bool) {
	if x.o.Waiter == nil {
		return
	}
	byReceipt := make(map[string]*result, len(b.results))
	var receipts []string
	for i := range b.results {
		if r := &b.results[i]; r.receiptID != "" && r.rejected == nil {
			byReceipt[r.receiptID] = r
			receipts = append(receipts, r.receiptID)
		}
	}
	if len(receipts) == 0 {
		return
	}
	patience, cancel := context.WithTimeout(x.waiting, wait)
	defer cancel()
	for _, settled := range x.o.Waiter.Wait(patience, receipts, admin) {
		if r := byReceipt[settled.ReceiptID]; r != nil {
			r.settled = &settled
		}
	}
}

// waitOf reads ?wait=2s. A plain number is seconds.
func waitOf(ctx *fasthttp.RequestCtx) (time.Duration, *refusal) {
	text := string(ctx.QueryArgs().Peek("wait"))
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if seconds, notNumber := strconv.ParseUint(text, 10, 16); notNumber == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 {
		return 0, &refusal{fasthttp.StatusBadRequest, attribution.CodeValidation, "wait must be a duration such as 2s, at most 10s"}
	}
	return min(wait, MaxWait), nil
}

// plainBody refuses a compressed body: how long it becomes is not known before.
func plainBody(ctx *fasthttp.RequestCtx) *refusal {
	if encoding := ctx.Request.Header.ContentEncoding(); len(encoding) > 0 && !bytes.EqualFold(encoding, []byte("identity")) {
		return &refusal{fasthttp.StatusUnsupportedMediaType, "unsupported_encoding", "send the body without Content-Encoding"}
	}
	return nil
}

// isLines reports a media type that means an object to a line.
func isLines(contentType []byte) bool {
	mediaType, _, _ := bytes.Cut(contentType, []byte{';'})
	switch string(bytes.ToLower(bytes.TrimSpace(mediaType))) {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines":
		return true
	}
	return false
}
