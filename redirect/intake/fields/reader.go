package fields

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"math/rand/v2"
	"sync"
	"time"

	"tributary/attribution"
)

// The codes of rejections. Of several failed fields the first one's is given, and
// the reason names all.
const (
	CodeMalformedJSON  = "malformed_json"
	CodeUnknownField   = "unknown_field"
	CodeDuplicateField = "duplicate_field"
	CodeMissingField   = "missing_field"
	CodeInvalidField   = "invalid_field"
	CodeInvalidAmount  = "invalid_amount"
	CodeCurrency       = "invalid_currency"
	CodeFuture         = "event_time_in_future"
	CodeForbiddenField = "forbidden_field"
	CodeCardNumber     = "card_number"
	CodeTooLarge       = "too_large"
)

// MaxFuture is how far in the future an event may lie: clocks differ.
const MaxFuture = 5 * time.Minute

// A Sender is who reports, as the way a report came by established it.
type Sender struct {
	Source       string // attribution.Source…
	AdvertiserID string // whose reports these are; empty: an admin's, each report names its own
	KeyID        string
	Signed       bool
	Admin        bool   // may force credit
	Network      string // of an unsigned report's browser
	UserAgent    string
	PageHost     string
	Signature    string                         // of the request, if it had one: makes its refunds once-only
	Knows        func(advertiserID string) bool // asked when a report names its advertiser; nil: nobody is known
}

// An Item is one report, read. Report is nil when nobody knows whose it is.
type Item struct {
	Report  *attribution.Report
	OrderID string // as it was given, for the answer; empty when it holds a card number
	// Rejected is why it cannot be taken; the Report's own, where there is one.
	Rejected *attribution.Rejection
}

// A Reader reads reports. It is safe for concurrent use.
type Reader struct {
	now    func() time.Time
	hashes sync.Pool
}

// MinCustomerKeyBytes is how long the key of customer hashes is at least.
const MinCustomerKeyBytes = 16

// NewReader makes a Reader. customerKey keys the hashes of customer ids and must
// stay the same for ever; now is when reports are received, a rehearsal's clock
// included.
func NewReader(customerKey []byte, now func() time.Time) *Reader {
	if len(customerKey) < MinCustomerKeyBytes {
		panic("fields: the key of customer ids is too short")
	}
	r := &Reader{now: now}
	r.hashes.New = func() any { return hmac.New(sha256.New, customerKey) }
	return r
}

func (r *Reader) hash() hash.Hash {
	h := r.hashes.Get().(hash.Hash)
	h.Reset()
	return h
}

// begin starts a draft of a report that is being received now.
func (r *Reader) begin(kind string, from *Sender) *draft {
	at := attribution.InstantOf(r.now())
	var entropy [10]byte
	low, high := rand.Uint64(), rand.Uint32()
	for i := range 8 {
		entropy[i] = byte(low >> (8 * i))
	}
	entropy[8], entropy[9] = byte(high), byte(high>>8)
	return &draft{
		reader: r, from: from,
		report: attribution.Report{
			ReceiptID: attribution.MakeID(attribution.PrefixReceipt, int64(at), entropy), Kind: kind, AdvertiserID: from.AdvertiserID,
			Source: from.Source, Signed: from.Signed, KeyID: from.KeyID, ReceivedAt: at, Network: from.Network, UserAgent: from.UserAgent,
		},
	}
}

// Reject makes a report of what could not be read at all. text is what was sent;
// a part of it is kept, without what must not be.
func (r *Reader) Reject(kind string, from *Sender, code, reason string, text []byte) *attribution.Report {
	d := r.begin(kind, from)
	d.report.Rejected = &attribution.Rejection{Code: code, Reason: reason}
	d.report.Raw = r.excerpt(text)
	return &d.report
}
