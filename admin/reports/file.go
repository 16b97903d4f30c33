package reports

import (
	"io"

	"tributary/admin"
	"tributary/admin/sheet"
)

// WriteFile writes the report as a file: groupings, currency, figures; in a report
// that compares also the previous times and figures, and the changes. A header line
// comes first; totals are not included.
func (r *Report) WriteFile(w io.Writer, format admin.FileFormat) error {
	file, err := format.BeginFile(w, "Report", r.header()...)
	if err != nil {
		return err
	}
	var cells []sheet.Cell
	for i := range r.Rows {
		cells = r.cells(cells[:0], &r.Rows[i])
		if err := file.WriteRow(cells...); err != nil {
			return err
		}
	}
	return file.Close()
}

func (r *Report) header() []string {
	var header []string
	for _, d := range r.Groupings {
		header = append(header, d.Field)
	}
	header = append(header, "currency")
	for _, c := range r.Columns {
		header = append(header, c.Name)
	}
	if r.PreviousFrom.IsZero() {
		return header
	}
	for _, d := range r.Groupings {
		if d.ordered {
			header = append(header, "previous_"+d.Field)
		}
	}
	for _, kind := range []string{"previous_", "change_"} {
		for _, c := range r.Columns {
			header = append(header, kind+c.Name)
		}
	}
	return header
}

func (r *Report) cells(cells []sheet.Cell, row *Row) []sheet.Cell {
	for n, d := range r.Groupings {
		cells = append(cells, keyCell(d, row.Keys[n]))
	}
	cells = append(cells, sheet.Text(row.Currency))
	for _, c := range r.Columns {
		cells = append(cells, figureCell(r.Value(row, c.Name)))
	}
	if row.Previous == nil {
		return cells
	}
	for n, d := range r.Groupings {
		if d.ordered {
			cell := sheet.Cell{}
			if len(row.Previous.Keys) > 0 {
				cell = keyCell(d, row.Previous.Keys[n])
			}
			cells = append(cells, cell)
		}
	}
	for _, c := range r.Columns {
		cells = append(cells, figureCell(r.Value(row.Previous, c.Name)))
	}
	for _, c := range r.Columns {
		cells = append(cells, figureCell(r.Change(row, c.Name)))
	}
	return cells
}

func keyCell(d Dimension, key string) sheet.Cell {
	if d.Name == "day" || d.Name == "week" {
		return sheet.Day(key)
	}
	return sheet.Text(key)
}

// figureCell is a figure as Value has it: a count, the text of an amount or a
// rate, or nothing.
func figureCell(value any) sheet.Cell {
	switch v := value.(type) {
	case uint64:
		return sheet.Int(int64(v))
	case string:
		return sheet.Decimal(v)
	}
	return sheet.Cell{}
}
