package intake

import (
	"iter"
	"net/netip"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
)

// pixelGIF is one transparent point.
const pixelGIF = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// parameterAdvertiser names the advertiser by its public key.
const parameterAdvertiser = "adv"

// pixel answers /t/pixel.gif: with a picture, whatever was sent and whatever became
// of it. A page must not look broken because of a report. Only GET reports: who asks
// otherwise looks whether there is a picture.
func (x *Intake) pixel(ctx *fasthttp.RequestCtx, client netip.Addr) {
	ctx.Response.Header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	respond(ctx, fasthttp.StatusOK, "image/gif", []byte(pixelGIF))
	if !ctx.IsGet() {
		return
	}
	args := ctx.QueryArgs()
	v, why := x.visitOf(ctx, attribution.SourcePixel, args.Peek(parameterAdvertiser), client)
	if why != nil {
		x.metrics.refused(why.code)
		return
	}
	// A report that could not be kept is counted; there is nobody to tell.
	_ = x.keep(v, x.reader.Form(v.from, without(args, parameterAdvertiser)))
}

// without yields a form's fields but for one.
func without(args *fasthttp.Args, name string) iter.Seq2[[]byte, []byte] {
	return func(yield func(field, text []byte) bool) {
		for field, text := range args.All() {
			if string(field) != name && !yield(field, text) {
				return
			}
		}
	}
}
