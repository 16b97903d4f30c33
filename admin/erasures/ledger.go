package erasures

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
)

// eraseFromLedger erases a customer from the ledger and its quarantine, and what
// both have told, in one transaction with the beginning of the erasure.
func (s *Service) eraseFromLedger(ctx context.Context, scope catalog.Scope, e *Erasure) error {
	// The long look is done before the turn of writing, for what came meanwhile a
	// short one within it.
	before, err := s.rowsOf(ctx, s.o.DB, e, 0)
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
		var change int64
		if err := tx.Row(ctx, "number.take", 1, "change").Scan(&change); err != nil {
			return fmt.Errorf("erasures: numbering: %w", err)
		}
		_, err := tx.Exec(ctx, "erasure.insert", e.ID, e.AdvertiserID, e.Kind, strings.Join(e.hashes, " "), e.standIn, "{}", int64(e.RequestedAt))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "audit.insert", change, int64(e.RequestedAt), scope.KeyID, scope.Role, "erase", e.Kind, e.ID, e.AdvertiserID, "")
		if err != nil {
			return err
		}
		for _, hash := range e.hashes {
			if _, err := tx.Exec(ctx, "erasure.mark", ledger.ErasureMark(e.AdvertiserID, hash), int64(e.RequestedAt)); err != nil {
				return err
			}
		}
		since, err := s.rowsOf(ctx, tx, e, before.last)
		if err != nil {
			return err
		}
		before.add(since)
		return s.renameInLedger(ctx, tx, e, before)
	})
}

// ledgerRows are the rows of a customer that are found by looking at all of them.
type ledgerRows struct {
	conversions, quarantine []int64
	last                    int64 // no row of the customer has a greater number
}

func (r *ledgerRows) add(more *ledgerRows) {
	r.conversions = append(r.conversions, more.conversions...)
	r.quarantine = more.quarantine // they are few, and all looked at again
}

func (s *Service) rowsOf(ctx context.Context, from database.Reader, e *Erasure, after int64) (*ledgerRows, error) {
	r := &ledgerRows{last: after}
	conversions, quarantine := map[int64]bool{}, map[int64]bool{}
	for _, hash := range e.hashes {
		err := numbers(ctx, from, conversions, "erasure.conversions", e.AdvertiserID, after, int64(e.RequestedAt), hash, "%"+hash+"%")
		if err == nil {
			err = numbers(ctx, from, quarantine, "erasure.quarantine", e.AdvertiserID, int64(e.RequestedAt), "%"+hash+"%")
		}
		if err != nil {
			return nil, err
		}
	}
	r.conversions, r.quarantine = slices.Sorted(maps.Keys(conversions)), slices.Sorted(maps.Keys(quarantine))
	if len(r.conversions) > 0 {
		r.last = r.conversions[len(r.conversions)-1]
	}
	return r, nil
}

// numbers adds what a query finds to a set.
func numbers(ctx context.Context, from database.Reader, to map[int64]bool, query string, args ...any) (err error) {
	rows, err := from.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var number int64
		if err := rows.Scan(&number); err != nil {
			return fmt.Errorf("erasures: %s: %w", query, err)
		}
		to[number] = true
	}
	return rows.Err()
}

// renameInLedger puts the stand-in in the customer's place and keeps the clicks
// that were known of it.
func (s *Service) renameInLedger(ctx context.Context, tx *database.Tx, e *Erasure, rows *ledgerRows) error {
	found, clicks := map[string]int64{}, map[string]bool{}
	for _, id := range e.clicks {
		clicks[id] = true
	}
	for _, number := range rows.conversions {
		if err := renameConversion(ctx, tx, e, number, found, clicks); err != nil {
			return err
		}
	}
	for _, number := range rows.quarantine {
		if err := renameQuarantined(ctx, tx, e, number); err != nil {
			return err
		}
		found["quarantine"]++
	}
	for _, hash := range e.hashes {
		if err := customerClicks(ctx, tx, e.AdvertiserID, hash, clicks); err != nil {
			return err
		}
		for store, query := range map[string]string{"customers": "erasure.rename_customers", "customer_touches": "erasure.rename_touches", "caps": "erasure.rename_caps"} {
			changed, err := tx.Exec(ctx, query, e.AdvertiserID, hash, e.standIn)
			if err != nil {
				return err
			}
			found[store] += changed
		}
		replaced, err := told.replaceIn(ctx, tx, hash, e.standIn)
		if err != nil {
			return err
		}
		found[outbox] += replaced
	}
	for id := range clicks {
		if _, err := tx.Exec(ctx, "erasure.keep_click", e.ID, id); err != nil {
			return err
		}
	}
	maps.DeleteFunc(found, func(_ string, n int64) bool { return n == 0 })
	maps.Copy(e.Found, found)
	return keepFound(ctx, tx, e)
}

func renameConversion(ctx context.Context, tx *database.Tx, e *Erasure, number int64, found map[string]int64, clicks map[string]bool) error {
	var order, text string
	if err := tx.Row(ctx, "erasure.conversion", number).Scan(&order, &text); err != nil {
		return fmt.Errorf("erasures: reading a conversion: %w", err)
	}
	var fields attribution.ReportFields
	if err := json.Unmarshal([]byte(e.replaced(text)), &fields); err != nil {
		return fmt.Errorf("erasures: reading a conversion: %w", err)
	}
	fields.Note = ""
	for _, id := range append(fields.ClickIDs, fields.ClickID) {
		if id != "" {
			clicks[id] = true
		}
	}
	clean, err := json.Marshal(&fields)
	if err != nil {
		return fmt.Errorf("erasures: writing a conversion: %w", err)
	}
	for _, hash := range e.hashes {
		if _, err := tx.Exec(ctx, "erasure.rename_conversion", number, hash, e.standIn, string(clean)); err != nil {
			return err
		}
		changed, err := tx.Exec(ctx, "erasure.rename_actions", order, e.AdvertiserID, hash, e.standIn)
		if err != nil {
			return err
		}
		found["actions"] += changed
	}
	found["conversions"]++
	return nil
}

// renameQuarantined leaves of a report in quarantine what it can be replayed by.
func renameQuarantined(ctx context.Context, tx *database.Tx, e *Erasure, number int64) error {
	var text, raw, reason string
	if err := tx.Row(ctx, "erasure.quarantined", number).Scan(&text, &raw, &reason); err != nil {
		return fmt.Errorf("erasures: reading the quarantine: %w", err)
	}
	if text != "" {
		var report attribution.Report
		if err := json.Unmarshal([]byte(e.replaced(text)), &report); err != nil {
			return fmt.Errorf("erasures: reading the quarantine: %w", err)
		}
		report.Fields.Note, report.Network, report.UserAgent = "", "", ""
		clean, err := json.Marshal(&report)
		if err != nil {
			return fmt.Errorf("erasures: writing the quarantine: %w", err)
		}
		text = string(clean)
	}
	_, err := tx.Exec(ctx, "erasure.rename_quarantine", number, text, e.replaced(raw), e.replaced(reason))
	return err
}

// replaced is a text with the stand-in in the place of the customer.
func (e *Erasure) replaced(text string) string {
	for _, hash := range e.hashes {
		text = strings.ReplaceAll(text, hash, e.standIn)
	}
	return text
}

func customerClicks(ctx context.Context, from database.Reader, advertiserID, hash string, to map[string]bool) (err error) {
	rows, err := from.Rows(ctx, "erasure.customer_clicks", advertiserID, hash)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("erasures: the clicks of a customer: %w", err)
		}
		to[id] = true
	}
	return rows.Err()
}

// countLedger counts what renameInLedger would change.
func (s *Service) countLedger(ctx context.Context, e *Erasure) error {
	return s.o.DB.View(ctx, func(ctx context.Context, tx *database.Tx) error {
		rows, err := s.rowsOf(ctx, tx, e, 0)
		if err != nil {
			return err
		}
		found, clicks := map[string]int64{"conversions": int64(len(rows.conversions)), "quarantine": int64(len(rows.quarantine))}, map[string]bool{}
		for _, hash := range e.hashes {
			for _, number := range rows.conversions {
				var order, text string
				var actions int64
				err := tx.Row(ctx, "erasure.conversion", number).Scan(&order, &text)
				if err == nil {
					err = tx.Row(ctx, "erasure.count_actions", order, e.AdvertiserID, hash).Scan(&actions)
				}
				if err != nil {
					return fmt.Errorf("erasures: counting actions: %w", err)
				}
				found["actions"] += actions
			}
			if err := customerClicks(ctx, tx, e.AdvertiserID, hash, clicks); err != nil {
				return err
			}
			for store, query := range map[string]string{"customers": "erasure.count_customers", "caps": "erasure.count_caps"} {
				var n int64
				if err := tx.Row(ctx, query, e.AdvertiserID, hash).Scan(&n); err != nil {
					return fmt.Errorf("erasures: counting %s: %w", store, err)
				}
				found[store] += n
			}
			messages := map[int64]bool{}
			if err := numbers(ctx, tx, messages, told.find, "%"+hash+"%"); err != nil {
				return err
			}
			found[outbox] += int64(len(messages))
		}
		found["customer_touches"] = int64(len(clicks))
		e.clicks = slices.AppendSeq(e.clicks, maps.Keys(clicks))
		maps.DeleteFunc(found, func(_ string, n int64) bool { return n == 0 })
		maps.Copy(e.Found, found)
		return nil
	})
}
