package sheet

import (
	"encoding/csv"
	"io"
)

type csvWriter struct {
	out    *csv.Writer
	record []string
}

// NewCSV begins a CSV file with a header line. A text that looks like a formula
// gets an apostrophe in front, by which spreadsheets know a text.
func NewCSV(w io.Writer, header ...string) (Writer, error) {
	c := &csvWriter{out: csv.NewWriter(w)}
	return c, c.out.Write(header)
}

// WriteRow implements Writer.
func (c *csvWriter) WriteRow(cells ...Cell) error {
	c.record = c.record[:0]
	for _, cell := range cells {
		plain := cell.plain()
		if cell.kind == text && looksLikeFormula(plain) {
			plain = "'" + plain
		}
		c.record = append(c.record, plain)
	}
	return c.out.Write(c.record)
}

// Close implements Writer.
func (c *csvWriter) Close() error {
	c.out.Flush()
	return c.out.Error()
}
