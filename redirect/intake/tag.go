package intake

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"
)

//go:embed tag/tag.js
var tagSource string

// MaxTagBytes is the most that the tag may be on the wire.
const MaxTagBytes = 3000

// A tagFile is the tag as it is served.
type tagFile struct {
	plain, compressed []byte
	version           string // the ETag
}

// loadTag takes comments and indentation out of the tag's source, which leaves
// each statement on its line, and compresses it once.
func loadTag() (tagFile, error) {
	var plain strings.Builder
	for line := range strings.Lines(tagSource) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "//") {
			plain.WriteString(line)
			plain.WriteByte('\n')
		}
	}
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return tagFile{}, fmt.Errorf("compress the tag: %w", err)
	}
	if _, err := w.Write([]byte(plain.String())); err != nil {
		return tagFile{}, fmt.Errorf("compress the tag: %w", err)
	}
	if err := w.Close(); err != nil {
		return tagFile{}, fmt.Errorf("compress the tag: %w", err)
	}
	sum := sha256.Sum256([]byte(plain.String()))
	return tagFile{
		plain: []byte(plain.String()), compressed: compressed.Bytes(),
		version: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
	}, nil
}

// serveTag answers GET /t/tag.js. Pages fetch it at most once an hour, so that a
// new version is everywhere soon.
func (x *Intake) serveTag(ctx *fasthttp.RequestCtx) {
	if !ctx.IsGet() && !ctx.IsHead() {
		notAllowed(ctx, "GET, HEAD")
		return
	}
	body := x.tag.plain
	header := &ctx.Response.Header
	if ctx.Request.Header.HasAcceptEncoding("gzip") {
		header.Set(fasthttp.HeaderContentEncoding, "gzip")
		body = x.tag.compressed
	}
	respond(ctx, fasthttp.StatusOK, "text/javascript; charset=utf-8", body)
	header.Set(fasthttp.HeaderCacheControl, "public, max-age=3600")
	header.Set(fasthttp.HeaderETag, x.tag.version)
	header.Set(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	header.Set("X-Content-Type-Options", "nosniff")
	if string(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)) == x.tag.version {
		ctx.Response.ResetBody()
		header.Del(fasthttp.HeaderContentEncoding)
		ctx.SetStatusCode(fasthttp.StatusNotModified)
	}
}
