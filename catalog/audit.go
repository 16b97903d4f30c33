package catalog

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// An AuditEntry is one write: who did what to which thing, when. It names the
// fields that changed and never their values.
type AuditEntry struct {
	Number  int64               `json:"number"`
	At      attribution.Instant `json:"at"`
	KeyID   string              `json:"key_id,omitempty" doc:"Absent for what the machine's operator did at the command line"`
	Role    string              `json:"role"`
	Verb    string              `json:"verb" doc:"create, update, archive, approve, return, pause, resume, close, delete, add, upload"`
	Thing   string              `json:"thing"`
	ThingID string              `json:"thing_id"`
	Fields  []string            `json:"fields,omitempty"`
}

// An AuditFilter narrows the audit log; times are half-open.
type AuditFilter struct {
	KeyID   string
	Verb    string
	Thing   string
	ThingID string
	From    attribution.Instant
	To      attribution.Instant
}

// audit records the writing under its first number.
func (w *writing) audit(ctx context.Context, verb, thing, id, advertiserID string, fields []string) error {
	_, err := w.Exec(ctx, "audit.insert", w.number, int64(w.at), w.scope.KeyID, w.scope.Role, verb, thing, id, advertiserID,
		strings.Join(fields, "\n"))
	return err
}

// AuditLog lists writes, newest first: to an admin all, to an advertiser those to
// what is its own.
func (c *Catalog) AuditLog(ctx context.Context, scope Scope, filter AuditFilter, p Page) (List[AuditEntry], error) {
	given := database.Given{"key_id": filter.KeyID, "verb": filter.Verb, "thing": filter.Thing, "thing_id": filter.ThingID}
	if filter.From != 0 {
		given["from_ms"] = int64(filter.From)
	}
	if filter.To != 0 {
		given["to_ms"] = int64(filter.To)
	}
	if !scope.limit(given) || scope.creator() {
		return List[AuditEntry]{Items: []AuditEntry{}}, nil
	}
	return page(ctx, c.db, "audit.list", given, p, byNumber, scanAudit,
		func(e AuditEntry) string { return strconv.FormatInt(e.Number, 10) })
}

// forgetBatch bounds how many entries are deleted in one transaction.
const forgetBatch = 1_000

// ForgetAuditLog deletes entries from before a time, and says how many.
func (c *Catalog) ForgetAuditLog(ctx context.Context, before attribution.Instant) (deleted int64, err error) {
	for {
		var gone int64
		err := c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
			gone, err = tx.Exec(ctx, "forget.audit_log", int64(before), forgetBatch)
			return err
		})
		if deleted += gone; err != nil || gone < forgetBatch {
			return deleted, err
		}
	}
}

// byNumber reads cursors that are numbers.
func byNumber(cursor string) (any, bool) {
	number, err := strconv.ParseInt(cursor, 10, 64)
	return number, err == nil && number > 0
}

func scanAudit(row scanner) (AuditEntry, error) {
	var e AuditEntry
	var at int64
	var fields string
	if err := row.Scan(&e.Number, &at, &e.KeyID, &e.Role, &e.Verb, &e.Thing, &e.ThingID, &fields); err != nil {
		return e, fmt.Errorf("catalog: reading the audit log: %w", err)
	}
	e.At = attribution.Instant(at)
	if fields != "" {
		e.Fields = strings.Split(fields, "\n")
	}
	return e, nil
}
