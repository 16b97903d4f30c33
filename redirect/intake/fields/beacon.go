package fields

import (
	"unicode/utf8"

	"tributary/attribution"
)

// The types of a beacon.
const (
	beaconLanding = "landing"
	beaconTrack   = "track"
)

// beaconTable is what the tag sends: a conversion's fields, and what it is.
var beaconTable = conversionTable.with(
	text("type", maxEventBytes, func(d *draft) *string { return &d.beacon }),
)

// Beacon reads what the tag sends: a conversion, or a landing, which has a
// click_id and perhaps a customer_id.
func (r *Reader) Beacon(from *Sender, body []byte) (*Item, error) {
	if len(body) > attribution.MaxReportBytes {
		return nil, &Unreadable{CodeTooLarge, "a beacon is at most 65536 bytes"}
	}
	if !utf8.Valid(body) {
		return nil, &Unreadable{CodeMalformedJSON, "the body is not UTF-8"}
	}
	d := r.begin(attribution.ReportConversion, from)
	s := &scanner{data: body}
	d.read(s, beaconTable, "")
	if s.wrong == "" && s.peek() != 0 {
		s.fail("more than one value")
	}
	if s.wrong != "" {
		return nil, &Unreadable{CodeMalformedJSON, "the body is not JSON: " + s.wrong}
	}
	switch d.beacon {
	case beaconLanding:
		d.report.Kind = attribution.ReportLanding
		d.report.Landing = &attribution.Landing{ClickID: d.report.Fields.ClickID, PageHost: from.PageHost}
		d.report.Fields = attribution.ReportFields{}
	case beaconTrack:
	default:
		d.wrong(CodeInvalidField, "type", "must be %s or %s", beaconLanding, beaconTrack)
	}
	return d.finish(func() []byte { return d.clean(body) }), nil
}
