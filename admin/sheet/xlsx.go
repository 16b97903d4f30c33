package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The bounds of a worksheet, as Excel has them.
const (
	maxSheetRows = 1 << 20
	maxCellUnits = 32_767 // of UTF-16
	maxNameUnits = 31
	maxColumns   = 16_384
)

// An xlsxWriter writes one worksheet after the other into the archive, and last
// the workbook that lists them.
type xlsxWriter struct {
	archive *zip.Writer
	name    string
	header  []string
	maxRows int

	sheet   io.Writer // the worksheet being written
	columns []string  // the letters of the columns so far
	rows    int       // in it, the header included
	sheets  int
	line    bytes.Buffer
}

// NewXLSX begins a workbook with a worksheet of that name, its header row frozen.
// A text is a text in XLSX; one that looks like a formula also carries the mark
// that keeps it one when somebody edits the cell. When a worksheet is full, the
// rows go on in another one.
func NewXLSX(w io.Writer, name string, header ...string) (Writer, error) {
	x := &xlsxWriter{archive: zip.NewWriter(w), name: sheetName(name), header: header, maxRows: maxSheetRows}
	if len(header) > maxColumns {
		return nil, fmt.Errorf("a worksheet has no more than %d columns, and this file has %d", maxColumns, len(header))
	}
	for _, p := range leadingParts {
		if err := x.part(p.name, p.content); err != nil {
			return nil, err
		}
	}
	return x, x.beginSheet()
}

func (x *xlsxWriter) part(name, content string) error {
	part, err := x.archive.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, content)
	return err
}

func (x *xlsxWriter) beginSheet() (err error) {
	x.sheets++
	x.rows = 0
	if x.sheet, err = x.archive.Create(sheetPath(x.sheets)); err != nil {
		return err
	}
	if _, err := io.WriteString(x.sheet, sheetStart); err != nil {
		return err
	}
	x.beginRow()
	for i, title := range x.header {
		x.textCell(i, title, styleHeader)
	}
	return x.endRow()
}

// WriteRow implements Writer.
func (x *xlsxWriter) WriteRow(cells ...Cell) error {
	if len(cells) > maxColumns {
		return fmt.Errorf("a worksheet has no more than %d columns, and this row has %d", maxColumns, len(cells))
	}
	if x.rows == x.maxRows {
		if err := x.endSheet(); err != nil {
			return err
		}
		if err := x.beginSheet(); err != nil {
			return err
		}
	}
	x.beginRow()
	for i, cell := range cells {
		x.cell(i, cell)
	}
	return x.endRow()
}

func (x *xlsxWriter) beginRow() {
	x.rows++
	x.line.Reset()
	x.line.WriteString(`<row r="` + strconv.Itoa(x.rows) + `">`)
}

func (x *xlsxWriter) endRow() error {
	x.line.WriteString("</row>")
	_, err := x.sheet.Write(x.line.Bytes())
	return err
}

func (x *xlsxWriter) cell(column int, c Cell) {
	switch c.kind {
	case empty:
	case text:
		style := styleGeneral
		if looksLikeFormula(c.text) {
			style = styleQuoted
		}
		x.textCell(column, c.text, style)
	case whole:
		x.numberCell(column, strconv.FormatInt(c.number, 10), styleDecimals)
	case decimal:
		_, after, _ := strings.Cut(c.text, ".")
		x.numberCell(column, c.text, styleDecimals+style(min(len(after), maxStyledDecimals)))
	case moment:
		x.numberCell(column, serial(c.number), styleMoment)
	case day:
		x.numberCell(column, serial(c.number), styleDay)
	}
}

func (x *xlsxWriter) open(column int, s style) {
	for len(x.columns) <= column {
		x.columns = append(x.columns, columnLetters(len(x.columns)))
	}
	x.line.WriteString(`<c r="` + x.columns[column] + strconv.Itoa(x.rows) + `"`)
	if s != styleGeneral {
		x.line.WriteString(` s="` + strconv.Itoa(int(s)) + `"`)
	}
}

func (x *xlsxWriter) numberCell(column int, number string, s style) {
	x.open(column, s)
	x.line.WriteString("><v>" + number + "</v></c>")
}

func (x *xlsxWriter) textCell(column int, value string, s style) {
	x.open(column, s)
	x.line.WriteString(` t="inlineStr"><is><t xml:space="preserve">`)
	_ = xml.EscapeText(&x.line, []byte(literal(cut(value, maxCellUnits)))) // a buffer takes everything
	x.line.WriteString("</t></is></c>")
}

func (x *xlsxWriter) endSheet() error {
	_, err := io.WriteString(x.sheet, sheetEnd)
	return err
}

// Close implements Writer.
func (x *xlsxWriter) Close() error {
	if err := x.endSheet(); err != nil {
		return err
	}
	if err := x.part("xl/workbook.xml", workbook(x.name, x.sheets)); err != nil {
		return err
	}
	if err := x.part("xl/_rels/workbook.xml.rels", workbookRelations(x.sheets)); err != nil {
		return err
	}
	return x.archive.Close()
}

// escapeLike is what a reader of XLSX takes for an escaped character (ECMA-376,
// ST_Xstring).
var escapeLike = regexp.MustCompile(`_(x[0-9A-Fa-f]{4}_)`)

// literal writes a text so that it is read as it is.
func literal(value string) string {
	if !strings.Contains(value, "_x") {
		return value
	}
	return escapeLike.ReplaceAllString(value, "_x005F_$1")
}

// cut shortens a text to a number of UTF-16 units.
func cut(value string, units int) string {
	if len(value) <= units {
		return value
	}
	for i, r := range value {
		if units -= utf16.RuneLen(r); units < 0 {
			return value[:i]
		}
	}
	return value
}

// dayMs is a day in milliseconds, and epochSerial the spreadsheet's number of
// 1970-01-01: day 1 is 1900-01-01, and there was a 29 February 1900.
const (
	dayMs       = 24 * 60 * 60 * 1000
	epochSerial = 25_569
)

// serial is a time as spreadsheets count: days, and the part of the day, exact to
// less than a millisecond.
func serial(ms int64) string {
	days, rest := ms/dayMs, ms%dayMs
	if rest < 0 {
		days, rest = days-1, rest+dayMs
	}
	if rest == 0 {
		return strconv.FormatInt(days+epochSerial, 10)
	}
	return strconv.FormatFloat(float64(days+epochSerial)+float64(rest)/dayMs, 'f', 10, 64)
}

// columnLetters names a column: A … Z, AA …
func columnLetters(index int) string {
	letters := ""
	for index++; index > 0; index = (index - 1) / 26 {
		letters = string(rune('A'+(index-1)%26)) + letters
	}
	return letters
}
