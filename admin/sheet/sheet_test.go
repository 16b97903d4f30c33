package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2027, 1, 31, 12, 0, 0, 250e6, time.UTC)

func write(t *testing.T, begin func(io.Writer) (Writer, error), rows ...[]Cell) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := begin(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.WriteRow(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

var everyKind = []Cell{
	Text("plain"), Text(""), Text("=1+1"), Int(-7), Decimal("-49.90"), Decimal("500"), Decimal("0.0312"), Decimal("1.2.3"), Time(noon), Day("2027-01-31"),
	Day("someday"), Time(time.Time{}), TextOrNone(nil),
}

func TestCSVHasEveryKindOfCell(t *testing.T) {
	file := write(t, func(w io.Writer) (Writer, error) { return NewCSV(w, "a", "b") }, everyKind)
	if _, err := csv.NewReader(bytes.NewReader(file)).ReadAll(); !errors.Is(err, csv.ErrFieldCount) {
		t.Errorf("got %v, want the header to be shorter", err)
	}
	lines := csv.NewReader(bytes.NewReader(file))
	lines.FieldsPerRecord = -1
	records, err := lines.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"plain", "", "'=1+1", "-7", "-49.90", "500", "0.0312", "1.2.3", "2027-01-31T12:00:00.250Z", "2027-01-31", "someday", "", ""}
	if !slices.Equal(records[0], []string{"a", "b"}) || !slices.Equal(records[1], want) {
		t.Errorf("got %q", records)
	}
}

// formulas are texts that spreadsheets take for formulas, and others.
var formulas = map[string]bool{
	"": false, "plain": false, "a=1": false, "'": false, "=1+1": true, "+1": true, "-1": true, "@x": true, "\tx": true, "\rx": true, "\nx": true, "＝1": true,
}

func TestTextsAreNoFormulas(t *testing.T) {
	for value, dangerous := range formulas {
		file := write(t, func(w io.Writer) (Writer, error) { return NewCSV(w, "text") }, []Cell{Text(value), Int(1)})
		lines := csv.NewReader(bytes.NewReader(file))
		lines.FieldsPerRecord = -1
		records, err := lines.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := value
		if dangerous {
			want = "'" + value
		}
		if records[1][0] != want {
			t.Errorf("%q is written as %q, want %q", value, records[1][0], want)
		}
		book := readBook(t, write(t, func(w io.Writer) (Writer, error) { return NewXLSX(w, "x", "text") }, []Cell{Text(value)}))
		for _, c := range book.sheets[0].Rows[1].Cells {
			if c.Type != "inlineStr" || c.Text != value || (c.Style == int(styleQuoted)) != dangerous {
				t.Errorf("%q is written as %+v", value, c)
			}
		}
	}
}

// A book is a workbook as a second reader sees it.
type book struct {
	names  []string
	sheets []readSheet
	styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
			Font   int `xml:"fontId,attr"`
			Quoted int `xml:"quotePrefix,attr"`
		} `xml:"cellXfs>xf"`
	}
}

type readSheet struct {
	Frozen struct {
		Rows  int    `xml:"ySplit,attr"`
		State string `xml:"state,attr"`
	} `xml:"sheetViews>sheetView>pane"`
	Rows []struct {
		Number int `xml:"r,attr"`
		Cells  []struct {
			Place string `xml:"r,attr"`
			Type  string `xml:"t,attr"`
			Style int    `xml:"s,attr"`
			Value string `xml:"v"`
			Text  string `xml:"is>t"`
		} `xml:"c"`
	} `xml:"sheetData>row"`
}

// readBook reads a workbook the way OPC says: content types and relations lead to
// everything, every part is well-formed and has a type.
func readBook(t *testing.T, file []byte) *book {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, f := range archive.File {
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		if parts[f.Name] != nil {
			t.Errorf("%s is there twice", f.Name)
		}
		parts[f.Name] = content
		for decoder := xml.NewDecoder(bytes.NewReader(content)); ; {
			if _, err := decoder.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s is not well-formed: %v", f.Name, err)
			}
		}
	}
	read := func(name string, into any) {
		t.Helper()
		if err := xml.Unmarshal(parts[name], into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var types struct {
		Default []struct {
			Extension   string `xml:",attr"`
			ContentType string `xml:",attr"`
		}
		Override []struct {
			PartName    string `xml:",attr"`
			ContentType string `xml:",attr"`
		}
	}
	read("[Content_Types].xml", &types)
	typeOf := func(name string) string {
		for _, o := range types.Override {
			if o.PartName == "/"+name {
				return o.ContentType
			}
		}
		for _, d := range types.Default {
			if "."+d.Extension == path.Ext(name) {
				return d.ContentType
			}
		}
		return ""
	}
	related := func(of, from string) map[string]string {
		var relations struct {
			Relationship []struct {
				ID     string `xml:"Id,attr"`
				Type   string `xml:",attr"`
				Target string `xml:",attr"`
			}
		}
		read(of, &relations)
		targets := map[string]string{}
		for _, r := range relations.Relationship {
			target := path.Join(from, r.Target)
			kind := path.Base(r.Type)
			targets[r.ID], targets[kind] = target, target
			want := map[string]string{"officeDocument": "sheet.main+xml", "worksheet": "worksheet+xml", "styles": "styles+xml"}[kind]
			if parts[target] == nil || want == "" || typeOf(target) != contentTypeSpreadsheet+want {
				t.Errorf("%s leads to %s, of type %q", of, target, typeOf(target))
			}
		}
		return targets
	}
	main := related("_rels/.rels", "")["officeDocument"]
	targets := related("xl/_rels/workbook.xml.rels", "xl")
	var workbook struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	read(main, &workbook)
	b := &book{}
	read(targets["styles"], &b.styles)
	for _, s := range workbook.Sheets {
		var sheet readSheet
		read(targets[s.ID], &sheet)
		b.names, b.sheets = append(b.names, s.Name), append(b.sheets, sheet)
	}
	if want := 5 + len(b.sheets); len(parts) != want {
		t.Errorf("%d parts, want %d", len(parts), want)
	}
	return b
}

func (b *book) format(style int) string {
	for _, f := range b.styles.Formats {
		if f.ID == b.styles.Cells[style].Format {
			return f.Code
		}
	}
	return ""
}

func TestXLSXHasEveryKindOfCell(t *testing.T) {
	book := readBook(t, write(t, func(w io.Writer) (Writer, error) { return NewXLSX(w, "Sales", "a<b", "c") }, everyKind))
	sheet := book.sheets[0]
	if book.names[0] != "Sales" || sheet.Frozen.Rows != 1 || sheet.Frozen.State != "frozen" || len(sheet.Rows) != 2 {
		t.Fatalf("%q has %d rows, frozen %+v", book.names, len(sheet.Rows), sheet.Frozen)
	}
	if header := sheet.Rows[0].Cells; header[0].Text != "a<b" || book.styles.Cells[header[0].Style].Font != 1 {
		t.Errorf("the header is %+v", header)
	}
	var got []string
	for _, c := range sheet.Rows[1].Cells {
		got = append(got, fmt.Sprintf("%s %s%s [%s]", c.Place, c.Value, c.Text, book.format(c.Style)))
	}
	want := []string{
		"A2 plain []", "C2 =1+1 []", "D2 -7 [0]", "E2 -49.90 [0.00]", "F2 500 [0]", "G2 0.0312 [0.0000]", "H2 1.2.3 []",
		`I2 46418.5000028935 [yyyy\-mm\-dd\ hh:mm:ss.000]`, `J2 46418 [yyyy\-mm\-dd]`, "K2 someday []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if style := sheet.Rows[1].Cells[1].Style; book.styles.Cells[style].Quoted != 1 {
		t.Error("a text that looks like a formula is not marked as a text")
	}
}

func TestXLSXKeepsHostileTexts(t *testing.T) {
	for value, want := range map[string]string{
		"<a>&\"'</a>": "<a>&\"'</a>", " a ": " a ", "a\x00b": "a�b", "a\xffb": "a�b", "tab\tand\nline": "tab\tand\nline",
		"_x0041_": "_x005F_x0041_", "_xyz": "_xyz", strings.Repeat("é", 40_000): strings.Repeat("é", maxCellUnits),
		strings.Repeat("😀", 20_000): strings.Repeat("😀", maxCellUnits/2),
	} {
		book := readBook(t, write(t, func(w io.Writer) (Writer, error) { return NewXLSX(w, "x", "text") }, []Cell{Text(value)}))
		if got := book.sheets[0].Rows[1].Cells[0].Text; got != want {
			t.Errorf("%.20q is read as %.20q (%d bytes), want %.20q", value, got, len(got), want)
		}
	}
}

func TestAFullWorksheetGoesOnInAnother(t *testing.T) {
	var file bytes.Buffer
	began, err := NewXLSX(&file, "[Actions]: a name that is longer than allowed", "n")
	if err != nil {
		t.Fatal(err)
	}
	began.(*xlsxWriter).maxRows = 4
	for n := range 7 {
		if err := began.WriteRow(Int(int64(n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := began.Close(); err != nil {
		t.Fatal(err)
	}
	book := readBook(t, file.Bytes())
	var counts []int
	for _, s := range book.sheets {
		counts = append(counts, len(s.Rows))
	}
	if !slices.Equal(counts, []int{4, 4, 2}) || book.sheets[2].Rows[1].Cells[0].Value != "6" || book.sheets[2].Frozen.Rows != 1 {
		t.Errorf("the worksheets have %v rows", counts)
	}
	if !slices.Equal(book.names, []string{" Actions   a name that is longe", " Actions   a name that is l (2)", " Actions   a name that is l (3)"}) {
		t.Errorf("the worksheets are named %q", book.names)
	}
}

func TestColumnsAreLettered(t *testing.T) {
	for index, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 51: "AZ", 52: "BA", 701: "ZZ", 702: "AAA", maxColumns - 1: "XFD"} {
		if got := columnLetters(index); got != want {
			t.Errorf("column %d is %s, want %s", index, got, want)
		}
	}
	if _, err := NewXLSX(io.Discard, "x", make([]string, maxColumns+1)...); err == nil {
		t.Error("a header of too many columns is accepted")
	}
}

func TestLongFilesTakeNoMoreMemory(t *testing.T) {
	for name, begin := range map[string]func(io.Writer) (Writer, error){
		"csv":  func(w io.Writer) (Writer, error) { return NewCSV(w, "id", "amount", "at") },
		"xlsx": func(w io.Writer) (Writer, error) { return NewXLSX(w, "x", "id", "amount", "at") },
	} {
		w, err := begin(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		for row := range 60_000 {
			if row == 10_000 {
				runtime.GC()
				runtime.ReadMemStats(&before)
			}
			if err := w.WriteRow(Text("act_01hzzzzzzzzzzzzzzzzzzzzzzz"), Decimal("49.90"), Time(noon)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("%s: the last 50,000 rows took %d bytes", name, grown)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A narrow disk takes a number of bytes.
type narrow struct{ room int }

func (n *narrow) Write(p []byte) (int, error) {
	if n.room -= len(p); n.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestAFailedWriteIsReported(t *testing.T) {
	for name, begin := range map[string]func(io.Writer) (Writer, error){
		"csv":  func(w io.Writer) (Writer, error) { return NewCSV(w, "id") },
		"xlsx": func(w io.Writer) (Writer, error) { return NewXLSX(w, "x", "id") },
	} {
		for _, room := range []int{0, 100, 1_000} {
			w, err := begin(&narrow{room})
			for n := 0; err == nil && n < 50_000; n++ {
				err = w.WriteRow(Int(int64(n * 7919)))
			}
			if err == nil {
				err = w.Close()
			}
			if !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("%s on a disk of %d bytes: %v", name, room, err)
			}
		}
	}
}
