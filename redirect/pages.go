package redirect

import "github.com/valyala/fasthttp"

// The tracker's few pages: tiny, without any external request, and with nothing
// of the request in them.

const robots = "User-agent: *\nDisallow: /\n"

const notFoundPage = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
	`<title>Link not found</title><style>body{font:16px/1.5 system-ui;margin:20vh auto;max-width:24em;padding:0 1em;color-scheme:light dark}</style>` +
	`<h1>This link leads nowhere</h1><p>It may have been mistyped or taken down.</p></html>`

var (
	headerAllow      = []byte("Allow")
	headerCache      = []byte("Cache-Control")
	headerLocation   = []byte("Location")
	headerRetryAfter = []byte("Retry-After")
	headerRobots     = []byte("X-Robots-Tag")
	headerSandbox    = []byte("X-Tributary-Sandbox")
	valueNoStore     = []byte("no-store")
	valueNoIndex     = []byte("noindex, nofollow")
	valueGetHead     = []byte("GET, HEAD")
	valueRetryAfter  = []byte("2")
	valueTrue        = []byte("true")
)

func respond(ctx *fasthttp.RequestCtx, status int, contentType, body string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentType)
	ctx.Response.Header.SetCanonical(headerCache, valueNoStore)
	ctx.SetBodyString(body)
}

func notFound(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetCanonical(headerRobots, valueNoIndex)
	respond(ctx, fasthttp.StatusNotFound, "text/html; charset=utf-8", notFoundPage)
}

// refuse answers a request whose form is ambiguous and ends the connection:
// whatever follows it cannot be trusted to be a request.
func refuse(ctx *fasthttp.RequestCtx, why string) {
	respond(ctx, fasthttp.StatusBadRequest, "text/plain; charset=utf-8", "bad request: "+why+"\n")
	ctx.SetConnectionClose()
}

// sendTo answers a click. Location is set byte for byte: ctx.Redirect would
// rewrite it.
func sendTo(ctx *fasthttp.RequestCtx, location []byte) {
	ctx.SetStatusCode(fasthttp.StatusFound)
	header := &ctx.Response.Header
	header.SetCanonical(headerLocation, location)
	header.SetCanonical(headerCache, valueNoStore)
	header.SetCanonical(headerRobots, valueNoIndex)
}
