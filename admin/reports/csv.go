package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// WriteCSV writes the report as a file: groupings, currency, figures; a header
// line first, totals not included.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := make([]string, 0, len(r.Groupings)+1+len(Columns()))
	for _, d := range r.Groupings {
		header = append(header, d.Field)
	}
	header = append(header, "currency")
	header = append(header, Columns()...)
	if err := out.Write(header); err != nil {
		return err
	}
	for _, row := range r.Rows {
		record := make([]string, 0, len(header))
		for _, key := range row.Keys {
			record = append(record, Cell(key))
		}
		record = append(record, row.Currency)
		for _, name := range Columns() {
			cell := ""
			if value := r.Value(&row, name); value != nil {
				cell = fmt.Sprint(value)
			}
			record = append(record, cell)
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Cell makes a text safe to open in a spreadsheet: what would be read as a
// formula is kept a text by an apostrophe (OWASP, CSV injection).
func Cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
