package admin

import (
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"tributary/admin/sheet"
)

// A FileFormat is what a client asks an answer to be: json, or a file of rows.
type FileFormat string

// The files of rows.
const (
	FormatCSV  FileFormat = "csv"
	FormatXLSX FileFormat = "xlsx"
)

// ContentType is the media type of the form; wanted for JSON.
func (f FileFormat) ContentType(wanted string) string {
	switch f {
	case FormatCSV:
		return sheet.MediaTypeCSV
	case FormatXLSX:
		return sheet.MediaTypeXLSX
	}
	return wanted
}

// Disposition is the Content-Disposition that keeps the answer as a file of that
// name; empty for JSON.
func (f FileFormat) Disposition(name string) string {
	if f != FormatCSV && f != FormatXLSX {
		return ""
	}
	return `attachment; filename="` + name + "." + string(f) + `"`
}

// BeginFile begins a file of rows in w: a table's name, where the form has a place
// for it, and its header.
func (f FileFormat) BeginFile(w io.Writer, name string, header ...string) (sheet.Writer, error) {
	if f == FormatXLSX {
		return sheet.NewXLSX(w, name, header...)
	}
	return sheet.NewCSV(w, header...)
}

// A fileBody is the body of an answer that can be a file of rows: ContentType says
// which, and WriteFile writes it.
type fileBody interface {
	ContentType(wanted string) string
	WriteFile(w io.Writer) error
}

// formats are the forms answers are written in. Which one is the operation's to
// say, not the Accept header's.
func formats() map[string]huma.Format {
	file := huma.Format{Marshal: func(w io.Writer, v any) error {
		body, ok := v.(fileBody)
		if !ok {
			return fmt.Errorf("a %T cannot be written as a file", v)
		}
		return body.WriteFile(w)
	}}
	return map[string]huma.Format{
		"application/json":  huma.DefaultJSONFormat,
		"json":              huma.DefaultJSONFormat,
		"text/csv":          file,
		sheet.MediaTypeXLSX: file,
	}
}
