package intake

import (
	"io"
	"net/netip"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"tributary/redirect/intake/fields"
)

// DefaultBodyMemory is the most memory that bodies above MaxBodyBytes take
// together.
const DefaultBodyMemory = 128 << 20

// The memory of a body doubles as the body comes, so that nobody makes the tracker
// hold more than twice what they sent.
const (
	firstMemory = 4 << 10
	shortMemory = MaxBodyBytes + 1 // one more, to see whether it goes on
	longMemory  = MaxArrayBytes + 1
)

// A lender counts the bytes that long bodies have.
type lender struct{ lent atomic.Int64 }

// lend reports whether a body may have n more, so that all together have no more
// than most.
func (l *lender) lend(n, most int64) bool {
	for {
		lent := l.lent.Load()
		if lent+n > most {
			return false
		}
		if l.lent.CompareAndSwap(lent, lent+n) {
			return true
		}
	}
}

func (l *lender) giveBack(n int64) { l.lent.Add(-n) }

// A body is the memory that a request's body is read into, used again for the
// next.
type body struct {
	bytes  []byte
	lent   int64 // of a long body
	lender *lender
}

// grow doubles the memory. It reports false where long bodies would have more than
// most then.
func (b *body) grow(most int64) bool {
	size, lent := min(2*cap(b.bytes), shortMemory), int64(0)
	if cap(b.bytes) >= shortMemory {
		size = min(2*cap(b.bytes), longMemory)
		if lent = int64(size); !b.lender.lend(lent, most) {
			return false
		}
	}
	b.bytes = append(make([]byte, 0, size), b.bytes...)
	b.lender.giveBack(b.lent)
	b.lent = lent
	return true
}

// release takes the body from its request, when it was read, and gives back what
// was lent for it.
func (b *body) release(ctx *fasthttp.RequestCtx) {
	if !ctx.Request.IsBodyStream() {
		ctx.Request.ResetBody()
	}
	if b.lent > 0 {
		b.lender.giveBack(b.lent)
		b.bytes, b.lent = nil, 0
	}
}

func (x *Intake) newBody() *body { return x.bodies.Get().(*body) }

// forget ends the use of a body, when its request has ended.
func (x *Intake) forget(ctx *fasthttp.RequestCtx, b *body) {
	b.release(ctx)
	if b.bytes = b.bytes[:0]; cap(b.bytes) > 0 {
		x.bodies.Put(b)
	}
}

// read reads a request's body into its place. One above MaxBodyBytes must be an
// array of somebody who has a credential.
//
// What is refused is read to its end all the same, and thrown away: most clients
// listen only once they have sent everything.
func (x *Intake) read(ctx *fasthttp.RequestCtx, client netip.Addr, b *body, array bool) *refusal {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return nil
	}
	if ctx.Request.Header.ContentLength() > MaxArrayBytes {
		return tooLong(array)
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			if why := x.makeRoom(ctx, client, b, array); why != nil {
				b.release(ctx)
				if _, err := io.CopyN(io.Discard, stream, MaxArrayBytes); err == io.EOF {
					ctx.Request.ResetBody()
				}
				return why
			}
		}
		n, err := stream.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if err == io.EOF {
			ctx.Request.SetBodyRaw(b.bytes)
			return nil
		}
		if err != nil {
			return &refusal{fasthttp.StatusBadRequest, codeBrokenBody, "the body ends early, or its chunks are malformed"}
		}
	}
}

// makeRoom lets a body go on, or says why it may not.
func (x *Intake) makeRoom(ctx *fasthttp.RequestCtx, client netip.Addr, b *body, array bool) *refusal {
	most := x.o.BodyMemory
	if cap(b.bytes) >= shortMemory {
		if !array || cap(b.bytes) >= longMemory {
			return tooLong(array)
		}
		if b.lent == 0 {
			if why := x.vouch(ctx, client); why != nil {
				return why
			}
		}
		if isSigned(&ctx.Request.Header) {
			most /= 2 // anybody can name a key: the other half is for those who showed theirs
		}
	}
	if !b.grow(most) {
		return &refusal{fasthttp.StatusServiceUnavailable, codeBusy, "too many long bodies are under way: send again after Retry-After, or at most 64 KiB at once"}
	}
	return nil
}

func tooLong(array bool) *refusal {
	why := &refusal{fasthttp.StatusRequestEntityTooLarge, fields.CodeTooLarge, "a body is at most 64 KiB here"}
	if array {
		why.detail = "a body is at most 8 MiB: send more in several"
	}
	return why
}
