package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"tributary/attribution"
)

// ErasureMark is what is kept of a customer who was erased: a hash of what stood
// for it. Who holds the mark finds nobody with it, and who is told the customer
// again knows that it was erased.
func ErasureMark(advertiserID, customerHash string) string {
	sum := sha256.Sum256([]byte("erased\x00" + advertiserID + "\x00" + customerHash))
	return hex.EncodeToString(sum[:16])
}

// customerHashes are what intake puts in the place of customer ids and e-mail
// addresses.
var customerHashes = regexp.MustCompile(`h_[0-9a-f]{32}`)

// withoutErased is a report without the customers who were erased after it was
// received: it had waited in a spool or in quarantine, or came out of a backup.
// Whoever comes back later is a new customer.
func (w *writing) withoutErased(ctx context.Context, report *attribution.Report) (*attribution.Report, error) {
	if w.erasedThrough < 0 {
		if err := w.Row(ctx, "ledger.erased_through").Scan(&w.erasedThrough); err != nil {
			return nil, fmt.Errorf("ledger: when a customer was erased last: %w", err)
		}
	}
	if int64(report.ReceivedAt) > w.erasedThrough {
		return report, nil
	}
	text, err := encode(report)
	if err != nil {
		return nil, err
	}
	erased := false
	for _, hash := range customerHashes.FindAllString(text, -1) {
		var atMs int64
		err := w.Row(ctx, "ledger.erased_customer", ErasureMark(report.AdvertiserID, hash)).Scan(&atMs)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ledger: whether a customer was erased: %w", err)
		}
		if int64(report.ReceivedAt) <= atMs {
			text, erased = strings.ReplaceAll(text, hash, ""), true
		}
	}
	if !erased {
		return report, nil
	}
	clean := &attribution.Report{}
	if err := decode(text, clean); err != nil {
		return nil, err
	}
	clean.Fields.Note, clean.Network, clean.UserAgent = "", "", ""
	return clean, nil
}
