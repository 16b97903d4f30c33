package notify

import (
	"bytes"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// message writes an e-mail as it is sent: plain text and a page, either for whoever
// reads it. Headers hold what people wrote in encoded words only.
func (l *letter) message(from mail.Address, at time.Time) ([]byte, error) {
	var out, body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, part := range []struct{ mediaType, text string }{{"text/plain", l.plain + "\n"}, {"text/html", l.html}} {
		header := textproto.MIMEHeader{"Content-Type": {part.mediaType + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}}
		into, err := parts.CreatePart(header)
		if err != nil {
			return nil, fmt.Errorf("notify: writing an e-mail: %w", err)
		}
		encoder := quotedprintable.NewWriter(into)
		if _, err := encoder.Write([]byte(part.text)); err != nil {
			return nil, fmt.Errorf("notify: writing an e-mail: %w", err)
		}
		if err := encoder.Close(); err != nil {
			return nil, fmt.Errorf("notify: writing an e-mail: %w", err)
		}
	}
	if err := parts.Close(); err != nil {
		return nil, fmt.Errorf("notify: writing an e-mail: %w", err)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	to := mail.Address{Name: clean(l.to.Name, maxTitle), Address: l.to.Address}
	for _, header := range [...][2]string{
		{"From", from.String()},
		{"To", to.String()},
		{"Subject", mime.QEncoding.Encode("utf-8", clean(l.subject, maxTitle))},
		{"Date", at.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + l.id + "@" + domain + ">"},
		{"MIME-Version", "1.0"},
		{"Auto-Submitted", "auto-generated"},
		{"Content-Type", mime.FormatMediaType("multipart/alternative", map[string]string{"boundary": parts.Boundary()})},
	} {
		fmt.Fprintf(&out, "%s: %s\r\n", header[0], folded(header[1]))
	}
	out.WriteString("\r\n")
	out.Write(body.Bytes())
	return out.Bytes(), nil
}

// folded breaks a header between encoded words, so that no line is too long. No
// other line break is left in it.
func folded(value string) string {
	value = strings.NewReplacer("\r", "", "\n", "").Replace(value)
	return strings.ReplaceAll(value, "?= =?", "?=\r\n =?")
}
