package erasures

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// write runs do in the turn that every writer of the catalog and the ledger takes.
func (s *Service) write(ctx context.Context, do func(ctx context.Context, tx *database.Tx) error) error {
	return s.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		var change int64
		if err := tx.Row(ctx, "number.take", 0, "change").Scan(&change); err != nil {
			return fmt.Errorf("erasures: waiting for the turn to write: %w", err)
		}
		return do(ctx, tx)
	})
}

func keepFound(ctx context.Context, tx *database.Tx, e *Erasure) error {
	found, err := json.Marshal(e.Found)
	if err == nil {
		_, err = tx.Exec(ctx, "erasure.keep_found", e.ID, string(found))
	}
	return err
}

// Get reads one erasure.
func (s *Service) Get(ctx context.Context, id string) (Erasure, error) {
	found, err := s.read(ctx, "erasure.by_id", id)
	if err == nil && len(found) == 0 {
		err = attribution.Refuse(attribution.CodeNotFound, "there is no erasure %.64q", id)
	}
	if err != nil {
		return Erasure{}, err
	}
	return found[0], nil
}

// read runs a query of whole erasures.
func (s *Service) read(ctx context.Context, query string, args ...any) ([]Erasure, error) {
	rows, err := s.o.DB.Rows(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanErasures(rows)
}

func scanErasures(rows *sql.Rows) (list []Erasure, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e Erasure
		var hashes, found, problem string
		var doneAt int64
		if err := rows.Scan(&e.ID, &e.AdvertiserID, &e.Kind, &e.State, &hashes, &e.standIn, &found, &problem, &e.RequestedAt, &doneAt); err != nil {
			return nil, fmt.Errorf("erasures: reading: %w", err)
		}
		if err := json.Unmarshal([]byte(found), &e.Found); err != nil {
			return nil, fmt.Errorf("erasures: reading: %w", err)
		}
		if e.hashes = strings.Fields(hashes); problem != "" {
			e.Problem = &problem
		}
		if doneAt != 0 {
			e.DoneAt = new(attribution.Instant(doneAt))
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// newID is the identifier of an erasure.
func newID(at attribution.Instant) (string, error) {
	var unique [10]byte
	_, err := io.ReadFull(rand.Reader, unique[:])
	return attribution.MakeID(prefixErasure, int64(at), unique), err
}

// drawName draws what comes in the place of a customer's hash.
func drawName() (string, error) {
	var name [16]byte
	_, err := io.ReadFull(rand.Reader, name[:])
	return "x_" + hex.EncodeToString(name[:]), err
}
