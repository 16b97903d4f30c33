package attribution

import (
	"encoding/json"
	"fmt"
)

// A Report is what a merchant told Tributary, as it is written down the moment
// it is taken: who said it and how, and its fields as they were given, after
// customer ids and e-mail addresses were hashed. It is what the conversions
// spool holds and what the settler reads; taking it needs no database.
type Report struct {
	ReceiptID    string        `json:"receipt_id"` // names this report; its conversion's id has the same digits
	Kind         string        `json:"kind"`
	AdvertiserID string        `json:"advertiser_id"`
	Source       string        `json:"source"`
	Signed       bool          `json:"signed"` // by key or signature; pixel and tag are not
	KeyID        string        `json:"key_id,omitempty"`
	ReceivedAt   Instant       `json:"received_at"`
	Fields       ReportFields  `json:"fields"`
	Refund       *RefundFields `json:"refund,omitempty"`
	Landing      *Landing      `json:"landing,omitempty"`
	Network      string        `json:"network,omitempty"` // of an unsigned report's browser: /24 or /48
	UserAgent    string        `json:"user_agent,omitempty"`
	// Rejected is why intake could not take it: it goes to quarantine with Raw.
	Rejected *Rejection      `json:"rejected,omitempty"`
	Raw      json.RawMessage `json:"raw,omitempty"`
}

// The kinds of reports.
const (
	ReportConversion = "conversion"
	ReportRefund     = "refund"
	ReportLanding    = "landing"
)

// The ways a report came.
const (
	SourceServer   = "s2s"
	SourcePixel    = "pixel"
	SourceTag      = "tag"
	SourcePostback = "postback"
	SourceImport   = "import"
	SourceSandbox  = "sandbox"
)

// ReportFields are a conversion's fields as every way of reporting names them.
type ReportFields struct {
	Event          string       `json:"event"`
	OrderID        string       `json:"order_id"`
	Amount         Decimal      `json:"amount,omitempty"`
	Currency       string       `json:"currency,omitempty"`
	ClickID        string       `json:"click_id,omitempty"`
	ClickIDs       []string     `json:"click_ids,omitempty" doc:"Earlier ones, oldest first, at most 50"`
	Code           string       `json:"code,omitempty"`
	CustomerID     string       `json:"customer_id,omitempty"` // hashed before it is written
	CustomerStatus string       `json:"customer_status,omitempty"`
	EventTime      Instant      `json:"event_time,omitzero"`
	Items          []ReportItem `json:"items,omitempty"`
	Discount       Decimal      `json:"discount,omitempty"`
	Tax            Decimal      `json:"tax,omitempty"`
	Shipping       Decimal      `json:"shipping,omitempty"`
	Country        string       `json:"country,omitempty"`
	CreatorID      string       `json:"creator_id,omitempty"` // forced credit; admin keys only
	Note           string       `json:"note,omitempty"`
	Consent        *bool        `json:"consent,omitempty"`
}

// A ReportItem is one line of an order as it was reported.
type ReportItem struct {
	SKU      string  `json:"sku,omitempty"`
	Name     string  `json:"name,omitempty"`
	Category string  `json:"category,omitempty"`
	Quantity int64   `json:"quantity,omitempty"`
	Price    Decimal `json:"price,omitempty"`
	Discount Decimal `json:"discount,omitempty"`
}

// RefundFields take back an order or a part of it.
type RefundFields struct {
	RefundID string       `json:"refund_id,omitempty"` // the same counts once
	OrderID  string       `json:"order_id"`
	Event    string       `json:"event,omitempty"` // sale by default
	Amount   Decimal      `json:"amount,omitempty"`
	Items    []ReportItem `json:"items,omitempty"`
	Reason   string       `json:"reason,omitempty"`
}

// A Landing is a shopper seen on the shop's page by the tag.
type Landing struct {
	ClickID    string `json:"click_id"`
	CustomerID string `json:"customer_id,omitempty"` // hashed
	PageHost   string `json:"page_host,omitempty"`
}

// A Rejection is why a report could not be taken.
type Rejection struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// The bounds of a report.
const (
	MaxOrderIDBytes = 64
	MaxClickIDs     = 50
	MaxItems        = 500
	MaxReports      = 1_000 // in one request
	MaxReportBytes  = 64 << 10
)

// AppendReport appends the encoding of r to dst.
func AppendReport(dst []byte, r *Report) ([]byte, error) {
	encoded, err := json.Marshal(r)
	if err != nil {
		return dst, fmt.Errorf("write a report: %w", err)
	}
	return append(dst, encoded...), nil
}

// DecodeReport reads what AppendReport wrote.
func DecodeReport(record []byte) (*Report, error) {
	r := new(Report)
	if err := json.Unmarshal(record, r); err != nil {
		return nil, fmt.Errorf("read a report: %w", err)
	}
	return r, nil
}
