package sheet

import (
	"strconv"
	"strings"
	"time"
)

// The media types of the files.
const (
	MediaTypeCSV  = "text/csv; charset=utf-8"
	MediaTypeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// A Writer writes a file of rows, the header first. Close ends the file; it does
// not close what the file is written to. After an error the file is worthless.
type Writer interface {
	WriteRow(cells ...Cell) error
	Close() error
}

// A Cell is one value of a row. The zero Cell is an empty one.
type Cell struct {
	kind   kind
	text   string // of text and decimal
	number int64  // of whole; milliseconds of moment and day
}

type kind uint8

const (
	empty kind = iota
	text
	whole
	decimal
	moment
	day
)

// Text is a cell that stays a text whatever it begins with. An empty text is an
// empty cell.
func Text(value string) Cell {
	if value == "" {
		return Cell{}
	}
	return Cell{kind: text, text: value}
}

// TextOrNone is Text, or an empty cell for nil.
func TextOrNone(value *string) Cell {
	if value == nil {
		return Cell{}
	}
	return Text(*value)
}

// Int is a whole number.
func Int(value int64) Cell { return Cell{kind: whole, number: value} }

// Decimal is a number as it is written, such as "-49.90": money in the decimals of
// its currency, a rate. What is no such number is a Text.
func Decimal(value string) Cell {
	if !isDecimal(value) {
		return Text(value)
	}
	return Cell{kind: decimal, text: value}
}

// Time is a moment, to the millisecond, in UTC. The zero Time is an empty cell.
func Time(value time.Time) Cell {
	if value.IsZero() {
		return Cell{}
	}
	return Cell{kind: moment, number: value.UnixMilli()}
}

// Day is a date, written 2027-01-31. What is no date is a Text.
func Day(value string) Cell {
	at, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return Text(value)
	}
	return Cell{kind: day, number: at.UnixMilli()}
}

func isDecimal(value string) bool {
	digits := strings.TrimPrefix(value, "-")
	before, after, pointed := strings.Cut(digits, ".")
	return onlyDigits(before) && (!pointed || onlyDigits(after))
}

func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// plain is the cell as text: numbers in digits, times as RFC 3339 has them.
func (c Cell) plain() string {
	switch c.kind {
	case text, decimal:
		return c.text
	case whole:
		return strconv.FormatInt(c.number, 10)
	case moment:
		return time.UnixMilli(c.number).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	case day:
		return time.UnixMilli(c.number).UTC().Format(time.DateOnly)
	}
	return ""
}

// formulaStarts are what spreadsheets begin a formula with, or skip before one;
// the last four are the full-width forms.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// looksLikeFormula reports whether a spreadsheet may take a text for a formula.
func looksLikeFormula(value string) bool {
	for _, first := range value {
		return strings.ContainsRune(formulaStarts, first)
	}
	return false
}
