package erasures

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/attribution"
	"tributary/ingest"
	"tributary/schema/database"
)

// Beside does a node's part of what another node leads: clicks that ClickHouse did
// not take are on the disk of the node that received them. It returns when ctx ends.
func (s *Service) Beside(ctx context.Context) {
	for {
		if err := s.rewriteBeside(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("persons that are being erased may be left in this node's quarantine of clicks; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(workInterval):
		}
	}
}

func (s *Service) rewriteBeside(ctx context.Context) error {
	begun, err := s.read(ctx, "erasure.of_node", s.o.Node, maxPending)
	if err != nil {
		return err
	}
	for i := range begun {
		if err := s.keptClicks(ctx, &begun[i]); err != nil {
			return err
		}
		if err := s.try(ctx, &begun[i], step{"rewrite quarantined clicks", s.eraseQuarantinedClicks}); err != nil {
			return err
		}
	}
	return nil
}

// eraseQuarantinedClicks empties click records that ClickHouse did not take, and
// removes those that cannot be read but have one of the click ids in them.
func (s *Service) eraseQuarantinedClicks(ctx context.Context, e *Erasure) error {
	visitors, known := map[uint64]bool{}, map[string]bool{}
	if _, err := s.visits(ctx, e, visitors); err != nil {
		return err
	}
	for _, id := range e.clicks {
		known[id] = true
	}
	changed, err := s.o.Quarantine.Rewrite(ctx, func(entry *ingest.QuarantineEntry) bool {
		var click attribution.Click
		if attribution.DecodeClick(entry.Record, &click) != nil {
			if !slices.ContainsFunc(e.clicks, func(id string) bool { return bytes.Contains(entry.Record, []byte(id)) }) {
				return false
			}
			entry.Record, entry.Detail = []byte{}, "erased"
			return true
		}
		if !known[string(click.ID)] && !visitors[click.Visitor] || click.Visitor == 0 && len(click.Network) == 0 && len(click.UserAgent) == 0 {
			return false
		}
		empty(&click)
		entry.Record, entry.Detail = attribution.AppendClick(nil, &click), ""
		return true
	})
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "erasure.node_did", e.ID, s.o.Node, changed)
		return err
	})
}

// awaitNodes waits for the quarantines of other nodes, also of those that have
// stopped: what is on their disk may still be put back.
func (s *Service) awaitNodes(ctx context.Context, e *Erasure) (err error) {
	rows, err := s.o.DB.Rows(ctx, "erasure.nodes_left", s.o.Node, e.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if rows.Next() {
		var id, machine string
		if err := rows.Scan(&id, &machine); err != nil {
			return fmt.Errorf("erasures: nodes with a quarantine: %w", err)
		}
		return fmt.Errorf("node %s (%s) has not looked through its quarantine of clicks: start it, or give its disk up with 'tributary nodes forget'", id, machine)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var changed int64
	if err := s.o.DB.Row(ctx, "erasure.rewritten", e.ID).Scan(&changed); err != nil {
		return fmt.Errorf("erasures: counting quarantined clicks: %w", err)
	}
	if changed > 0 {
		e.Found["quarantined_clicks"] = changed
	}
	return nil
}
