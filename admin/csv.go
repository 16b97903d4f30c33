package admin

import (
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"
)

// MediaTypeCSV is the form of an answer that is a file of rows. The body of such
// an answer has the methods ContentType, which names this, and WriteCSV.
const MediaTypeCSV = "text/csv; charset=utf-8"

// formats are the forms answers are written in. Which one is the operation's to
// say, not the Accept header's.
func formats() map[string]huma.Format {
	return map[string]huma.Format{
		"application/json": huma.DefaultJSONFormat,
		"json":             huma.DefaultJSONFormat,
		"text/csv": {Marshal: func(w io.Writer, v any) error {
			rows, ok := v.(interface{ WriteCSV(io.Writer) error })
			if !ok {
				return fmt.Errorf("a %T cannot be written as CSV", v)
			}
			return rows.WriteCSV(w)
		}},
	}
}
