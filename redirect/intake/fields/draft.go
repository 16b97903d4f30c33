package fields

import (
	"bytes"
	"fmt"
	"strings"

	"tributary/attribution"
)

// A draft is a report while its fields are read: the report, what was found wrong,
// and what only the check at the end can place.
type draft struct {
	reader *Reader
	from   *Sender
	report attribution.Report
	item   *attribution.ReportItem // the one being read
	form   bool                    // all values came as text

	orderID    string // as given
	customer   []byte // in clear, until its advertiser is known
	advertiser string // that the report names
	beacon     string // what the tag says it sends
	prefix     string // of the fields being read: "items[0]."
	card       bool
	orderCard  bool // in the order id itself
	problems   []wrongField
}

type wrongField struct{ code, text string }

// wrong records a failed field.
func (d *draft) wrong(code, name, format string, args ...any) {
	if len(d.problems) < maxWrongFields {
		d.problems = append(d.problems, wrongField{code, d.prefix + name + ": " + fmt.Sprintf(format, args...)})
	}
}

// read reads an object by a table.
func (d *draft) read(s *scanner, t *table, prefix string) {
	outer := d.prefix
	d.prefix = prefix
	var seen uint64
	s.members(func(name []byte) {
		i, known := t.byKey[string(name)]
		if !known {
			d.unknown(name)
			s.skip(0, d.screen)
			return
		}
		if seen&(1<<i) != 0 {
			d.wrong(CodeDuplicateField, t.rules[i].name, "is given twice")
			s.skip(0, d.screen)
			return
		}
		seen |= 1 << i
		d.readField(s, &t.rules[i])
	})
	d.prefix = outer
}

func (d *draft) readField(s *scanner, r *rule) {
	if !s.compound() {
		d.set(r, s.scalar())
		return
	}
	if r.nested == nil {
		d.wrong(CodeInvalidField, r.name, "must be a single value")
		s.skip(0, d.screen)
		return
	}
	r.nested(d, s)
}

// set gives a field its value. Null and an empty text are the same as no field.
func (d *draft) set(r *rule, v value) {
	if v.kind == kindNull || v.kind == kindText && len(bytes.TrimSpace(v.text)) == 0 {
		return
	}
	if hasCard(v.text) {
		d.card = true
		d.orderCard = d.orderCard || r.name == "order_id"
		return
	}
	if r.set == nil {
		d.wrong(CodeInvalidField, r.name, "must be an array")
		return
	}
	r.set(d, v)
}

// screen looks at a value that is not kept.
func (d *draft) screen(v value) { d.card = d.card || hasCard(v.text) }

// unknown refuses a field by its name, as far as that can be repeated.
func (d *draft) unknown(name []byte) {
	if hasCard(name) {
		d.card = true
		return
	}
	name = name[:min(len(name), maxCodeBytes)]
	d.wrong(CodeUnknownField, strings.ToValidUTF8(string(d.reader.maskEmails(name)), ""), "is no field of a %s", d.report.Kind)
}

// finish ends the draft: it checks what takes the whole report and gives the item.
// raw is what was sent, for quarantine.
func (d *draft) finish(raw func() []byte) *Item {
	item := &Item{OrderID: d.orderID}
	if d.orderCard {
		item.OrderID = ""
	}
	if !d.whose() {
		item.Rejected = &attribution.Rejection{Code: attribution.CodeNotFound, Reason: "advertiser_id: there is no such advertiser, or it is not this key's"}
		return item
	}
	item.Report = &d.report
	d.hashCustomer()
	switch {
	case d.card:
		d.forget()
		item.Rejected = &attribution.Rejection{Code: CodeCardNumber,
			Reason: "a field holds what looks like a payment card number; nothing of the report was kept: send it without"}
	default:
		d.check()
		item.Rejected = d.rejection()
	}
	if d.report.Rejected = item.Rejected; item.Rejected != nil && !d.card {
		d.report.Raw = raw()
	}
	return item
}

// whose settles whose report it is; false: nobody can say.
func (d *draft) whose() bool {
	switch {
	case d.from.AdvertiserID != "":
		if d.advertiser != "" && d.advertiser != d.from.AdvertiserID {
			if d.from.Admin {
				d.wrong(CodeInvalidField, "advertiser_id", "is not the one the request names")
			} else {
				d.wrong(attribution.CodeNotFound, "advertiser_id", "there is no such advertiser, or it is not this key's")
			}
		}
		return true
	case d.advertiser == "" || d.from.Knows == nil || !d.from.Knows(d.advertiser):
		return false
	}
	d.report.AdvertiserID = d.advertiser
	return true
}

// forget leaves of a report with a card number only what names it.
func (d *draft) forget() {
	event, order := d.report.Fields.Event, d.report.Fields.OrderID
	d.report.Fields = attribution.ReportFields{Event: event, OrderID: order}
	if d.report.Refund != nil {
		d.report.Refund = &attribution.RefundFields{OrderID: d.report.Refund.OrderID}
	}
	d.report.Landing = nil
}

// rejection is nil, or the first failed field's code with all of them as reason.
func (d *draft) rejection() *attribution.Rejection {
	if len(d.problems) == 0 {
		return nil
	}
	all := make([]string, len(d.problems))
	for i, p := range d.problems {
		all[i] = p.text
	}
	return &attribution.Rejection{Code: d.problems[0].code, Reason: strings.Join(all, "; ")}
}
