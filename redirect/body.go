package redirect

import (
	"io"

	"github.com/valyala/fasthttp"
)

// Bodies are read here and by Intake, not by fasthttp, which would make room for
// all of a body as soon as its length is announced, before it knows whose it is.

// discard reads past the body of a request that has no use for one, so that its
// client can be answered. It reports false when that ended in an answer: the body
// is too long or broken.
func (s *Server) discard(ctx *fasthttp.RequestCtx) bool {
	body := ctx.RequestBodyStream()
	if body == nil {
		return true
	}
	err := fasthttp.ErrBodyTooLarge
	if ctx.Request.Header.ContentLength() <= maxBodyBytes {
		if _, failed := io.CopyN(io.Discard, body, maxBodyBytes+1); failed != nil {
			err = failed
		}
	}
	if err == io.EOF {
		ctx.Request.ResetBody()
		return true
	}
	s.malformed(ctx, err)
	return false
}
