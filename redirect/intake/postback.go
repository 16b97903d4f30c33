package intake

import (
	"iter"
	"net/netip"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/redirect/intake/fields"
)

// parameterKey is the advertiser's postback token.
const parameterKey = "key"

// postback answers GET and POST /t/postback: "ok", or "error=CODE" with a status
// that makes a network send it again only when that can help.
func (x *Intake) postback(ctx *fasthttp.RequestCtx, client netip.Addr) {
	if !ctx.IsGet() && !ctx.IsPost() {
		notAllowed(ctx, "GET, POST")
		return
	}
	form := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(form)
	sent := x.newBody()
	defer x.forget(ctx, sent)
	var from *fields.Sender
	why := x.read(ctx, client, sent, false)
	if why == nil {
		if ctx.IsPost() {
			form.ParseBytes(ctx.Request.Body())
		}
		from, why = x.byToken(ctx, form, client)
	}
	if why != nil {
		x.metrics.refused(why.code)
		sayError(ctx, why.status, why.code)
		return
	}
	item := x.reader.Form(from, bothWithout(ctx.QueryArgs(), form, parameterKey))
	err := x.storeOne(item.Report)
	x.metrics.one(item.Report, err == nil)
	switch {
	case err != nil:
		sayError(ctx, fasthttp.StatusServiceUnavailable, codeUnavailable)
	case item.Rejected != nil:
		sayError(ctx, fasthttp.StatusBadRequest, item.Rejected.Code)
	default:
		respond(ctx, fasthttp.StatusOK, "text/plain; charset=utf-8", []byte("ok"))
	}
}

func (x *Intake) byToken(ctx *fasthttp.RequestCtx, form *fasthttp.Args, client netip.Addr) (*fields.Sender, *refusal) {
	if !x.o.Credentials.Ready() {
		return nil, unavailable("")
	}
	token := ctx.QueryArgs().Peek(parameterKey)
	if len(token) == 0 {
		token = form.Peek(parameterKey)
	}
	unauthorized := &refusal{fasthttp.StatusUnauthorized, codeUnauthorized, ""}
	if len(token) == 0 || len(token) > maxBearerBytes {
		return nil, unauthorized
	}
	if why := x.mayTry(ctx, client, string(token)); why != nil {
		return nil, why
	}
	credential, known := x.o.Credentials.Postback(string(token))
	if !known {
		x.refresh()
		credential, known = x.o.Credentials.Postback(string(token))
	}
	if !known && !x.o.Credentials.Sure() {
		return nil, unavailable("")
	}
	if !known || x.expired(&credential) {
		x.tries.Failed(client, x.clock())
		return nil, unauthorized
	}
	x.tries.Passed(client, string(token))
	return &fields.Sender{Source: attribution.SourcePostback, AdvertiserID: credential.AdvertiserID, KeyID: credential.ID, Signed: true}, nil
}

func bothWithout(query, form *fasthttp.Args, name string) iter.Seq2[[]byte, []byte] {
	return func(yield func(field, text []byte) bool) {
		for _, args := range [...]*fasthttp.Args{query, form} {
			for field, text := range without(args, name) {
				if !yield(field, text) {
					return
				}
			}
		}
	}
}

func sayError(ctx *fasthttp.RequestCtx, status int, code string) {
	sayWhen(ctx, status)
	respond(ctx, status, "text/plain; charset=utf-8", []byte("error="+code))
}
