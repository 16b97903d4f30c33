package fields

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tributary/attribution"
)

// The bounds of texts, in bytes. Click ids of ours have 43; a longer one is a
// forgery and kept as one.
const (
	maxEventBytes    = 40
	maxCodeBytes     = 64
	maxClickIDBytes  = 512
	maxCustomerBytes = 512
	maxItemTextBytes = 256
	maxNoteBytes     = 1024
	maxQuantity      = 1_000_000
	maxWrongFields   = 20 // named in one reason
)

// A rule reads one field. One of set and nested is there, or both: set for a
// single value, nested for an array.
type rule struct {
	name   string
	set    func(*draft, value)
	nested func(*draft, *scanner)
}

// A table is the fields that one kind of object has.
type table struct {
	rules []rule
	byKey map[string]int
}

func newTable(rules ...rule) *table {
	t := &table{rules: rules, byKey: make(map[string]int, len(rules))}
	for i, r := range rules {
		t.byKey[r.name] = i
	}
	return t
}

func (t *table) with(rules ...rule) *table { return newTable(append(rules, t.rules...)...) }

// conversionTable is SPEC section 4, and advertiser_id, by which an admin's key
// says whose conversion it is.
var conversionTable = newTable(
	text("event", maxEventBytes, func(d *draft) *string { return &d.report.Fields.Event }),
	orderID(func(d *draft) *string { return &d.report.Fields.OrderID }),
	decimal("amount", func(d *draft) *attribution.Decimal { return &d.report.Fields.Amount }),
	upper("currency", 3, func(d *draft) *string { return &d.report.Fields.Currency }),
	text("click_id", maxClickIDBytes, func(d *draft) *string { return &d.report.Fields.ClickID }),
	rule{"click_ids", (*draft).splitClickIDs, (*draft).readClickIDs},
	text("code", maxCodeBytes, func(d *draft) *string { return &d.report.Fields.Code }),
	rule{name: "customer_id", set: (*draft).setCustomer},
	rule{name: "customer_status", set: (*draft).setCustomerStatus},
	rule{name: "event_time", set: (*draft).setEventTime},
	rule{"items", (*draft).parseItems, (*draft).readItems},
	decimal("discount", func(d *draft) *attribution.Decimal { return &d.report.Fields.Discount }),
	decimal("tax", func(d *draft) *attribution.Decimal { return &d.report.Fields.Tax }),
	decimal("shipping", func(d *draft) *attribution.Decimal { return &d.report.Fields.Shipping }),
	rule{name: "country", set: (*draft).setCountry},
	rule{name: "creator_id", set: (*draft).setCreator},
	text("note", maxNoteBytes, func(d *draft) *string { return &d.report.Fields.Note }),
	rule{name: "consent", set: (*draft).setConsent},
	text("advertiser_id", maxCodeBytes, func(d *draft) *string { return &d.advertiser }),
)

var refundTable = newTable(
	text("refund_id", attribution.MaxOrderIDBytes, func(d *draft) *string { return &d.report.Refund.RefundID }),
	orderID(func(d *draft) *string { return &d.report.Refund.OrderID }),
	text("event", maxEventBytes, func(d *draft) *string { return &d.report.Refund.Event }),
	decimal("amount", func(d *draft) *attribution.Decimal { return &d.report.Refund.Amount }),
	rule{"items", (*draft).parseItems, (*draft).readItems},
	text("reason", maxNoteBytes, func(d *draft) *string { return &d.report.Refund.Reason }),
	text("advertiser_id", maxCodeBytes, func(d *draft) *string { return &d.advertiser }),
)

var itemTable = newTable(
	text("sku", maxItemTextBytes, func(d *draft) *string { return &d.item.SKU }),
	text("name", maxItemTextBytes, func(d *draft) *string { return &d.item.Name }),
	text("category", maxItemTextBytes, func(d *draft) *string { return &d.item.Category }),
	rule{name: "quantity", set: (*draft).setQuantity},
	decimal("price", func(d *draft) *attribution.Decimal { return &d.item.Price }),
	decimal("discount", func(d *draft) *attribution.Decimal { return &d.item.Discount }),
)

// text is a field of one line of text. A whole number will do: shops' ids often
// are.
func text(name string, most int, field func(*draft) *string) rule {
	return rule{name: name, set: func(d *draft, v value) {
		if s, ok := d.line(name, v, most); ok {
			*field(d) = s
		}
	}}
}

func upper(name string, most int, field func(*draft) *string) rule {
	return rule{name: name, set: func(d *draft, v value) {
		if s, ok := d.line(name, v, most); ok {
			*field(d) = strings.ToUpper(s)
		}
	}}
}

func orderID(field func(*draft) *string) rule {
	return rule{name: "order_id", set: func(d *draft, v value) {
		d.orderID = strings.ToValidUTF8(string(v.text[:min(len(v.text), attribution.MaxOrderIDBytes)]), "")
		if s, ok := d.line("order_id", v, attribution.MaxOrderIDBytes); ok {
			*field(d) = s
		}
	}}
}

func decimal(name string, field func(*draft) *attribution.Decimal) rule {
	return rule{name: name, set: func(d *draft, v value) {
		if v.kind != kindText && v.kind != kindNumber {
			d.wrong(CodeInvalidField, name, "must be a decimal as a string or a number")
			return
		}
		if len(v.text) > maxNumberBytes {
			d.wrong(CodeInvalidAmount, name, "is too long for an amount")
			return
		}
		*field(d) = attribution.Decimal(bytes.TrimSpace(v.text))
	}}
}

// line reads a text of one line, with its e-mail addresses hashed.
func (d *draft) line(name string, v value, most int) (string, bool) {
	switch {
	case v.kind == kindNumber && bytes.ContainsAny(v.text, ".eE-"):
		d.wrong(CodeInvalidField, name, "must be a string")
	case v.kind != kindText && v.kind != kindNumber:
		d.wrong(CodeInvalidField, name, "must be a string")
	case len(v.text) > most:
		d.wrong(CodeInvalidField, name, "must be at most %d bytes, has %d", most, len(v.text))
	case hasControl(v.text):
		d.wrong(CodeInvalidField, name, "must not have control characters")
	default:
		return string(bytes.TrimSpace(d.reader.maskEmails(v.text))), true
	}
	return "", false
}

// hasControl reports control characters, also those beyond ASCII.
func hasControl(text []byte) bool {
	for i, c := range text {
		if c >= utf8.RuneSelf {
			return bytes.ContainsFunc(text[i:], unicode.IsControl)
		}
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

func (d *draft) setCustomer(v value) {
	switch {
	case v.kind != kindText && (v.kind != kindNumber || bytes.ContainsAny(v.text, ".eE-")):
		d.wrong(CodeInvalidField, "customer_id", "must be a string")
	case len(v.text) > maxCustomerBytes:
		d.wrong(CodeInvalidField, "customer_id", "must be at most %d bytes", maxCustomerBytes)
	default:
		d.customer = append(d.customer[:0], v.text...)
	}
}

func (d *draft) setCustomerStatus(v value) {
	s, ok := d.line("customer_status", v, maxCodeBytes)
	if ok && s != "new" && s != "returning" {
		d.wrong(CodeInvalidField, "customer_status", "must be new or returning")
		return
	}
	d.report.Fields.CustomerStatus = s
}

// earliestEvent is a time that no report can be about, such as a clock that was
// never set.
const earliestEvent = attribution.Instant(946_684_800_000) // 2000-01-01T00:00:00Z

func (d *draft) setEventTime(v value) {
	s, ok := d.line("event_time", v, maxCodeBytes)
	if !ok {
		return
	}
	var at attribution.Instant
	if err := at.UnmarshalText([]byte(s)); err != nil {
		d.wrong(CodeInvalidField, "event_time", "%v", err)
		return
	}
	switch latest := d.report.ReceivedAt + attribution.Instant(MaxFuture.Milliseconds()); {
	case at > latest:
		d.wrong(CodeFuture, "event_time", "is more than 5 minutes in the future")
	case at < earliestEvent:
		d.wrong(CodeInvalidField, "event_time", "must be after the year 2000")
	default:
		d.report.Fields.EventTime = at
	}
}

func (d *draft) setCountry(v value) {
	s, ok := d.line("country", v, maxCodeBytes)
	s = strings.ToUpper(s)
	if ok && (len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		d.wrong(CodeInvalidField, "country", "must be an ISO 3166-1 country of two letters, such as TH")
		return
	}
	d.report.Fields.Country = s
}

func (d *draft) setCreator(v value) {
	s, ok := d.line("creator_id", v, maxCodeBytes)
	switch {
	case !ok:
	case !d.from.Admin:
		d.wrong(CodeForbiddenField, "creator_id", "forces credit, which only an admin's key may")
	case !attribution.ValidID(attribution.PrefixCreator, s):
		d.wrong(CodeInvalidField, "creator_id", "must be a creator's id")
	default:
		d.report.Fields.CreatorID = s
	}
}

func (d *draft) setConsent(v value) {
	yes := string(v.text) == "true"
	if d.form && v.kind == kindText && (yes || string(v.text) == "1") {
		v.kind, yes = kindBool, true
	} else if d.form && (string(v.text) == "false" || string(v.text) == "0") {
		v.kind = kindBool
	}
	if v.kind != kindBool {
		d.wrong(CodeInvalidField, "consent", "must be true or false")
		return
	}
	d.report.Fields.Consent = &yes
}

func (d *draft) setQuantity(v value) {
	n, err := strconv.ParseInt(string(v.text), 10, 64)
	if v.kind == kindBool || err != nil || n < 1 || n > maxQuantity {
		d.wrong(CodeInvalidField, "quantity", "must be a whole number from 1 to %d", maxQuantity)
		return
	}
	d.item.Quantity = n
}

// splitClickIDs reads click ids from a form, between commas.
func (d *draft) splitClickIDs(v value) {
	if v.kind != kindText || !d.form {
		d.wrong(CodeInvalidField, "click_ids", "must be an array of strings")
		return
	}
	for id := range bytes.SplitSeq(v.text, []byte{','}) {
		d.addClickID(value{kindText, bytes.TrimSpace(id)})
	}
}

func (d *draft) readClickIDs(s *scanner) {
	if s.peek() != '[' {
		d.wrong(CodeInvalidField, "click_ids", "must be an array of strings")
		s.skip(0, d.screen)
		return
	}
	s.elements(func() {
		if s.compound() {
			d.wrong(CodeInvalidField, "click_ids", "must be an array of strings")
			s.skip(0, d.screen)
			return
		}
		v := s.scalar()
		d.screen(v)
		d.addClickID(v)
	})
}

func (d *draft) addClickID(v value) {
	ids := &d.report.Fields.ClickIDs
	if v.kind == kindNull || v.kind == kindText && len(v.text) == 0 {
		return
	}
	if len(*ids) >= attribution.MaxClickIDs {
		d.wrong(CodeInvalidField, "click_ids", "must be at most %d", attribution.MaxClickIDs)
		return
	}
	if id, ok := d.line("click_ids", v, maxClickIDBytes); ok {
		*ids = append(*ids, id)
	}
}

// parseItems reads items from a form, where they are JSON in a field.
func (d *draft) parseItems(v value) {
	if v.kind != kindText || !d.form {
		d.wrong(CodeInvalidField, "items", "must be an array of objects")
		return
	}
	s := &scanner{data: bytes.Clone(v.text)}
	d.readItems(s)
	if s.wrong == "" && s.peek() != 0 {
		s.fail("more than one value")
	}
	if s.wrong != "" {
		d.wrong(CodeInvalidField, "items", "is not JSON: %s", s.wrong)
	}
}

func (d *draft) readItems(s *scanner) {
	if s.peek() != '[' {
		d.wrong(CodeInvalidField, "items", "must be an array of objects")
		s.skip(0, d.screen)
		return
	}
	items := &d.report.Fields.Items
	if d.report.Refund != nil {
		items = &d.report.Refund.Items
	}
	s.elements(func() {
		if s.peek() != '{' || len(*items) >= attribution.MaxItems {
			d.wrong(CodeInvalidField, "items", "must be an array of at most %d objects", attribution.MaxItems)
			s.skip(0, d.screen)
			return
		}
		*items = append(*items, attribution.ReportItem{})
		d.item = &(*items)[len(*items)-1]
		d.read(s, itemTable, "items["+strconv.Itoa(len(*items)-1)+"].")
		if d.item.Quantity == 0 {
			d.item.Quantity = 1
		}
	})
}
