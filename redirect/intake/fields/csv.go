package fields

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"tributary/attribution"
)

// A Line is one record of a CSV file of conversions.
type Line struct {
	Number int // of the file's lines, from 1, that the record begins on
	*Item
}

// CSV reads a file of conversions: a header line that names fields, then one
// conversion to a line. items is a column of JSON, click_ids one of ids between
// commas; columns that begin with _ are ignored. Lines up to and including after were read before and are skipped, so
// that an import that was cut short goes on where it was.
//
// A line that cannot be taken is a Line that is Rejected, and the next ones are
// read. An error is the last thing yielded: an *Unreadable, or that of reading.
func (r *Reader) CSV(from *Sender, in io.Reader, after int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		limited := &recordReader{in: in}
		limited.begin()
		buffered := bufio.NewReader(limited)
		skipByteOrderMark(buffered)
		file := csv.NewReader(buffered)
		file.ReuseRecord = true
		columns, err := readHeader(file)
		if err != nil {
			yield(Line{}, err)
			return
		}
		file.FieldsPerRecord = -1
		for {
			limited.begin()
			cells, err := file.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			line, err := r.csvLine(from, file, columns, cells, err)
			if err != nil {
				yield(line, err)
				return
			}
			if line.Number > after && !yield(line, nil) {
				return
			}
		}
	}
}

func (r *Reader) csvLine(from *Sender, file *csv.Reader, columns, cells []string, err error) (Line, error) {
	var malformed *csv.ParseError
	switch {
	case errors.As(err, &malformed):
		item := r.rejected(attribution.ReportConversion, from, CodeMalformedCSV, "the line is not CSV: "+malformed.Err.Error(), nil)
		return Line{malformed.StartLine, item}, nil
	case err != nil:
		return Line{}, err
	}
	number, _ := file.FieldPos(0)
	if len(cells) != len(columns) {
		reason := fmt.Sprintf("the line has %d fields, the header %d", len(cells), len(columns))
		return Line{number, r.rejected(attribution.ReportConversion, from, CodeMalformedCSV, reason, nil)}, nil
	}
	return Line{number, r.Form(from, func(yield func(name, text []byte) bool) {
		for i, column := range columns {
			if !yield([]byte(column), []byte(cells[i])) {
				return
			}
		}
	})}, nil
}

// CodeMalformedCSV is the rejection of a line that is no CSV or not as long as the
// header.
const CodeMalformedCSV = "malformed_csv"

// readHeader reads the names of the columns and refuses the file if one is wrong.
func readHeader(file *csv.Reader) ([]string, error) {
	header, err := file.Read()
	var malformed *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return nil, &Unreadable{CodeMalformedCSV, "the file is empty: its first line must name the fields"}
	case errors.As(err, &malformed):
		return nil, &Unreadable{CodeMalformedCSV, "the header is not CSV: " + malformed.Err.Error()}
	case err != nil:
		return nil, err
	}
	var wrong []string
	columns := make([]string, len(header))
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		switch _, known := conversionTable.byKey[name]; {
		case strings.HasPrefix(name, "_"): // nobody's, as in a form
		case !known && hasCard([]byte(name)):
			wrong = append(wrong, "a column is no field")
		case !known:
			wrong = append(wrong, fmt.Sprintf("%.64q is no field of a conversion", name))
		case slices.Contains(columns[:i], name):
			wrong = append(wrong, name+" is there twice")
		}
		columns[i] = name
	}
	for _, name := range [...]string{"event", "order_id"} {
		if !slices.Contains(columns, name) {
			wrong = append(wrong, name+" is missing")
		}
	}
	if len(wrong) > 0 {
		wrong = wrong[:min(len(wrong), maxWrongFields)]
		return nil, &Unreadable{CodeUnknownField, "the header cannot be used: " + strings.Join(wrong, "; ")}
	}
	return columns, nil
}

// skipByteOrderMark skips what spreadsheets put before UTF-8.
func skipByteOrderMark(in *bufio.Reader) {
	mark := []byte("\xef\xbb\xbf")
	if head, err := in.Peek(len(mark)); err == nil && bytes.Equal(head, mark) {
		_, _ = in.Discard(len(mark)) // it was just peeked
	}
}

// A recordReader bounds how much is read for one record: a quote that is never
// closed would otherwise be read to the end of the file.
type recordReader struct {
	in   io.Reader
	left int
}

func (r *recordReader) begin() { r.left = 2 * attribution.MaxReportBytes }

func (r *recordReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, &Unreadable{CodeTooLarge, fmt.Sprintf("a line is longer than %d bytes: is a quote not closed?", attribution.MaxReportBytes)}
	}
	n, err := r.in.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
