package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	"tributary/admin"
	"tributary/attribution"
	"tributary/schema/database"
)

const prefixNotification = "ntf_"

// A notice is something to be told to one reader: in the product, by e-mail, or
// both.
type notice struct {
	role, ownerID string // the reader: an advertiser, a creator, or the operator
	once          string // what it tells of: the same is told a reader once
	kind          string // the type it has for programs
	campaignID    string
	subject       map[string]string // ids of what it is about
	at            attribution.Instant
	text          said
	quiet         bool           // no notification in the product
	mailTo        []mail.Address // none: no e-mail
}

// said is what a notice says: a line, and paragraphs with empty lines between.
type said struct{ title, text string }

// The bounds of what is said, in characters.
const (
	maxTitle = 150
	maxText  = 10_000
)

// clean makes one line of a text that may hold what people wrote.
func clean(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// cleanLines keeps the line breaks of a text and nothing else that is no character.
func cleanLines(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return strings.TrimSpace(text)
}

// write keeps notices, and the e-mails of those that are new.
func (s *Service) write(ctx context.Context, tx *database.Tx, notices []notice) error {
	if len(notices) == 0 {
		return nil
	}
	number, err := take(ctx, tx, "notification", len(notices))
	if err != nil {
		return err
	}
	for i := range notices {
		n := &notices[i]
		if !n.quiet {
			subject, err := json.Marshal(n.subject)
			if err != nil {
				return fmt.Errorf("notify: writing a notification: %w", err)
			}
			kept, err := tx.Exec(ctx, "notification.insert", number+int64(i), admin.NewID(prefixNotification, s.o.Now()), n.role, n.ownerID, n.once, n.kind,
				n.text.title, n.text.text, n.campaignID, string(subject), int64(n.at))
			if err != nil {
				return err
			}
			s.metrics.notifications.WithLabelValues(n.role).Add(float64(kept))
		}
		if s.o.Mail == nil {
			continue
		}
		for _, to := range n.mailTo {
			if err := s.post(ctx, tx, n, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// take draws numbers and returns the first.
func take(ctx context.Context, tx *database.Tx, counter string, n int) (first int64, err error) {
	var last int64
	if err := tx.Row(ctx, "number.take", int64(n), counter).Scan(&last); err != nil {
		return 0, fmt.Errorf("notify: taking numbers: %w", err)
	}
	return last - int64(n) + 1, nil
}

// addresses reads e-mail addresses; what is none is left out.
func addresses(name string, texts ...string) (found []mail.Address) {
	seen := map[string]bool{}
	for _, text := range texts {
		address, err := mail.ParseAddress(strings.TrimSpace(text))
		if err != nil || seen[address.Address] {
			continue
		}
		seen[address.Address] = true
		if address.Name == "" {
			address.Name = clean(name, maxTitle)
		}
		found = append(found, *address)
	}
	return found
}
