package sheet

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// A style is an index into cellXfs of the styles part.
type style int

const (
	styleGeneral  style = iota
	styleHeader         // bold
	styleQuoted         // a text that looks like a formula
	styleMoment         // 2027-01-31 09:00:00.000
	styleDay            // 2027-01-31
	styleDecimals       // a whole number; the next ones have 1 to maxStyledDecimals decimals
)

// maxStyledDecimals are the most decimals that are shown.
const maxStyledDecimals = 6

const xmlHeader = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

const (
	namespaceMain          = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	namespaceRelations     = "http://schemas.openxmlformats.org/package/2006/relationships"
	namespaceDocument      = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	contentTypeSpreadsheet = "application/vnd.openxmlformats-officedocument.spreadsheetml."
)

// leadingParts stand before the rows. How many worksheets there will be is not
// known yet, so that a worksheet is what an XML part is unless it is said to be
// something else.
var leadingParts = [...]struct{ name, content string }{
	{"[Content_Types].xml", xmlHeader + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="` + contentTypeSpreadsheet + `worksheet+xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + contentTypeSpreadsheet + `sheet.main+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="` + contentTypeSpreadsheet + `styles+xml"/></Types>`},
	{"_rels/.rels", xmlHeader + `<Relationships xmlns="` + namespaceRelations + `">` +
		`<Relationship Id="rId1" Type="` + namespaceDocument + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/styles.xml", styles()},
}

// firstFormat is the first number of a format that is not built in.
const firstFormat = 164

func styles() string {
	formats := []string{`yyyy\-mm\-dd\ hh:mm:ss.000`, `yyyy\-mm\-dd`, "0"}
	for decimals := 1; decimals <= maxStyledDecimals; decimals++ {
		formats = append(formats, "0."+strings.Repeat("0", decimals))
	}
	var b strings.Builder
	b.WriteString(xmlHeader + `<styleSheet xmlns="` + namespaceMain + `">`)
	fmt.Fprintf(&b, `<numFmts count="%d">`, len(formats))
	for i, code := range formats {
		fmt.Fprintf(&b, `<numFmt numFmtId="%d" formatCode="%s"/>`, firstFormat+i, code)
	}
	b.WriteString(`</numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>`)
	fmt.Fprintf(&b, `<cellXfs count="%d">`, int(styleMoment)+len(formats))
	b.WriteString(`<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
		`<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>` +
		`<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>`)
	for i := range formats {
		fmt.Fprintf(&b, `<xf numFmtId="%d" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>`, firstFormat+i)
	}
	b.WriteString(`</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`)
	return b.String()
}

const (
	sheetStart = xmlHeader + `<worksheet xmlns="` + namespaceMain + `"><sheetViews><sheetView workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft" activeCell="A2" sqref="A2"/>` +
		`</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/><sheetData>`
	sheetEnd = `</sheetData></worksheet>`
)

func sheetPath(number int) string { return fmt.Sprintf("xl/worksheets/sheet%d.xml", number) }

func workbook(name string, sheets int) string {
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<workbook xmlns="` + namespaceMain + `" xmlns:r="` + namespaceDocument + `"><sheets>`)
	for number := 1; number <= sheets; number++ {
		title := name
		if number > 1 {
			ending := fmt.Sprintf(" (%d)", number)
			title = cut(name, maxNameUnits-len(ending)) + ending
		}
		b.WriteString(`<sheet name="`)
		_ = xml.EscapeText(&b, []byte(title)) // a buffer takes everything
		fmt.Fprintf(&b, `" sheetId="%d" r:id="rId%d"/>`, number, number)
	}
	b.WriteString(`</sheets></workbook>`)
	return b.String()
}

func workbookRelations(sheets int) string {
	var b strings.Builder
	b.WriteString(xmlHeader + `<Relationships xmlns="` + namespaceRelations + `">`)
	for number := 1; number <= sheets; number++ {
		fmt.Fprintf(&b, `<Relationship Id="rId%d" Type="%s/worksheet" Target="worksheets/sheet%d.xml"/>`, number, namespaceDocument, number)
	}
	fmt.Fprintf(&b, `<Relationship Id="rId%d" Type="%s/styles" Target="styles.xml"/></Relationships>`, sheets+1, namespaceDocument)
	return b.String()
}

// sheetName makes a name that a worksheet can have: not empty, no more than 31
// characters, none of []:*?/\ and no apostrophe at either end.
func sheetName(name string) string {
	name = strings.Trim(cut(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\`, r) {
			return ' '
		}
		return r
	}, name), maxNameUnits), "'")
	if strings.TrimSpace(name) == "" {
		return "Rows"
	}
	return name
}
