package intake

import (
	"errors"
	"net/netip"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/redirect/intake/fields"
)

// event answers the tag's beacon, POST /t/event?adv=PUBLIC_KEY. The body is JSON,
// of type text/plain so that a browser sends it without asking first.
func (x *Intake) event(ctx *fasthttp.RequestCtx, client netip.Addr) {
	if !ctx.IsPost() && !ctx.IsOptions() {
		notAllowed(ctx, "POST, OPTIONS")
		return
	}
	if ctx.IsOptions() {
		x.preflight(ctx)
		return
	}
	sent := x.newBody()
	defer x.forget(ctx, sent)
	var v visit
	why := x.read(ctx, client, sent, false)
	if why == nil {
		v, why = x.visitOf(ctx, attribution.SourceTag, ctx.QueryArgs().Peek(parameterAdvertiser), client)
	}
	if why == nil {
		why = plainBody(ctx)
	}
	if why != nil {
		x.metrics.refused(why.code)
		refuse(ctx, why)
		return
	}
	allowOrigin(ctx, v.origin)
	item, err := x.reader.Beacon(v.from, ctx.Request.Body())
	var unreadable *fields.Unreadable
	if errors.As(err, &unreadable) {
		why := x.keepUnreadable(attribution.ReportConversion, v.from, unreadable, ctx.Request.Body())
		x.metrics.refused(why.code)
		refuse(ctx, why)
		return
	}
	if err := x.keep(v, item); err != nil {
		refuse(ctx, unavailable("the report cannot be written to disk now"))
		return
	}
	answerResults(ctx, []result{{orderID: item.OrderID, receiptID: item.Report.ReceiptID, rejected: item.Rejected}})
}

// preflight answers a browser that asks whether it may send JSON as such.
func (x *Intake) preflight(ctx *fasthttp.RequestCtx) {
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	advertiser, why := x.named(ctx.QueryArgs().Peek(parameterAdvertiser))
	page := pageOf(&ctx.Request.Header)
	if why != nil || !attribution.DestinationAllowed(page, advertiser.Domains) {
		return
	}
	allowOrigin(ctx, page)
	ctx.Response.Header.Set(fasthttp.HeaderAccessControlAllowMethods, "POST")
	ctx.Response.Header.Set(fasthttp.HeaderAccessControlAllowHeaders, "content-type")
	ctx.Response.Header.Set(fasthttp.HeaderAccessControlMaxAge, "86400")
}

// allowOrigin lets a page of the advertiser's read the answer.
func allowOrigin(ctx *fasthttp.RequestCtx, origin []byte) {
	ctx.Response.Header.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	if len(origin) > 0 {
		ctx.Response.Header.SetBytesV(fasthttp.HeaderAccessControlAllowOrigin, origin)
	}
}
