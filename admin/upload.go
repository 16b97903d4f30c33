package admin

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"

	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
)

const (
	mediaTypeCSV       = "text/csv"
	mediaTypeMultipart = "multipart/form-data"
)

// CSV, embedded in an operation's input, takes a file of rows: as the body, or
// as the first file of a form.
type CSV struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"text/csv"`
	file        []byte
}

// File is what the client sent.
func (b *CSV) File() io.Reader { return bytes.NewReader(b.file) }

func (b *CSV) decode() error {
	mediaType, parameters, err := mime.ParseMediaType(b.ContentType)
	if err != nil || mediaType != mediaTypeMultipart {
		b.file = b.RawBody
		return nil
	}
	form := multipart.NewReader(bytes.NewReader(b.RawBody), parameters["boundary"])
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return attribution.Refuse(attribution.CodeValidation, "the form has no file")
		}
		if err != nil {
			return attribution.Refuse(attribution.CodeValidation, "the form cannot be read: %v", err)
		}
		if part.FileName() == "" {
			continue
		}
		if b.file, err = io.ReadAll(part); err != nil {
			return attribution.Refuse(attribution.CodeValidation, "the form's file cannot be read: %v", err)
		}
		return nil
	}
}

func (b *CSV) mediaTypes() []string { return []string{mediaTypeCSV, mediaTypeMultipart} }

func (b *CSV) document(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "binary"}
}
