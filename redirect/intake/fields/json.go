package fields

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"tributary/attribution"
)

// An Unreadable is a request that is no list of reports at all.
type Unreadable struct{ Code, Reason string }

func (e *Unreadable) Error() string { return e.Reason }

// Conversions reads a JSON object, an array of them, or, with lines, one to a
// line, and yields an item for each. The error is an *Unreadable, and then
// nothing may be taken of what was yielded.
func (r *Reader) Conversions(from *Sender, body []byte, lines bool, yield func(*Item)) error {
	return r.list(attribution.ReportConversion, from, body, lines, yield)
}

// Refunds is Conversions for refunds.
func (r *Reader) Refunds(from *Sender, body []byte, lines bool, yield func(*Item)) error {
	return r.list(attribution.ReportRefund, from, body, lines, yield)
}

func (r *Reader) list(kind string, from *Sender, body []byte, lines bool, yield func(*Item)) error {
	if lines || isLines(body) {
		return r.lines(kind, from, body, yield)
	}
	if !utf8.Valid(body) {
		return &Unreadable{CodeMalformedJSON, "the body is not UTF-8"}
	}
	s := &scanner{data: body}
	count := 0
	one := func() { yield(r.object(kind, from, s, count)); count++ }
	switch s.peek() {
	case '{':
		if len(body) > attribution.MaxReportBytes {
			return &Unreadable{CodeTooLarge, fmt.Sprintf("one %s is at most %d bytes", kind, attribution.MaxReportBytes)}
		}
		one()
	case '[':
		s.elements(func() {
			if count >= attribution.MaxReports {
				s.fail(tooMany)
				return
			}
			one()
		})
	default:
		return &Unreadable{CodeMalformedJSON, "the body must be a JSON object, an array of objects, or an object to a line"}
	}
	if s.wrong == "" && s.peek() != 0 {
		s.fail("more than one value")
	}
	if s.wrong != "" {
		return unreadable(s.wrong, count)
	}
	return nil
}

const tooMany = "too many reports"

func unreadable(wrong string, count int) error {
	if count >= attribution.MaxReports {
		return &Unreadable{CodeTooLarge, fmt.Sprintf("a request holds at most %d reports", attribution.MaxReports)}
	}
	return &Unreadable{CodeMalformedJSON, "the body is not JSON: " + wrong}
}

// isLines reports whether a body that was not announced so is an object to a line.
func isLines(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	first, rest, more := bytes.Cut(body, []byte{'\n'})
	if !more || len(first) == 0 || first[0] != '{' || len(bytes.TrimSpace(rest)) == 0 {
		return false
	}
	s := &scanner{data: first}
	s.skip(0, func(value) {})
	return s.wrong == "" && s.peek() == 0
}

// lines reads one object to a line. A line that is none is an item that was
// rejected, and the others are taken.
func (r *Reader) lines(kind string, from *Sender, body []byte, yield func(*Item)) error {
	count := 0
	for line := range bytes.Lines(body) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if count == attribution.MaxReports {
			return unreadable(tooMany, count)
		}
		yield(r.line(kind, from, line, count))
		count++
	}
	return nil
}

func (r *Reader) line(kind string, from *Sender, line []byte, index int) *Item {
	if len(line) > attribution.MaxReportBytes {
		return r.rejected(kind, from, CodeTooLarge, fmt.Sprintf("one %s is at most %d bytes", kind, attribution.MaxReportBytes), line)
	}
	if !utf8.Valid(line) {
		return r.rejected(kind, from, CodeMalformedJSON, "the line is not UTF-8", line)
	}
	s := &scanner{data: line}
	item := r.object(kind, from, s, index)
	if s.wrong == "" && s.peek() != 0 {
		s.fail("more than one value")
	}
	if s.wrong != "" {
		return r.rejected(kind, from, CodeMalformedJSON, "the line is not JSON: "+s.wrong, line)
	}
	return item
}

// rejected is the item of what could not be read.
func (r *Reader) rejected(kind string, from *Sender, code, reason string, raw []byte) *Item {
	item := &Item{Rejected: &attribution.Rejection{Code: code, Reason: reason}}
	if from.AdvertiserID != "" {
		item.Report = r.Reject(kind, from, code, reason, raw)
	}
	return item
}

// object reads one report, as far as it is JSON at all: the scanner says whether
// it was.
func (r *Reader) object(kind string, from *Sender, s *scanner, index int) *Item {
	d := r.begin(kind, from)
	t := conversionTable
	if kind == attribution.ReportRefund {
		t = refundTable
		d.report.Refund = &attribution.RefundFields{}
	}
	s.peek()
	start := s.at
	if s.peek() == '{' {
		d.read(s, t, "")
	} else {
		d.wrong(CodeInvalidField, kind, "must be an object")
		s.skip(0, d.screen)
	}
	raw := s.data[start:s.at]
	if len(raw) > attribution.MaxReportBytes {
		return r.rejected(kind, from, CodeTooLarge, fmt.Sprintf("one %s is at most %d bytes", kind, attribution.MaxReportBytes), raw)
	}
	if s.wrong != "" {
		return &Item{Rejected: &attribution.Rejection{Code: CodeMalformedJSON, Reason: s.wrong}}
	}
	if refund := d.report.Refund; refund != nil && refund.RefundID == "" && from.Signature != "" {
		// A signed request that is sent again, by whomever, is the same refund.
		refund.RefundID = fmt.Sprintf("sig_%s_%d", from.Signature, index)
	}
	return d.finish(func() []byte { return d.clean(raw) })
}
