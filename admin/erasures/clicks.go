package erasures

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
	"tributary/schema"
	"tributary/schema/database"
)

// maxAtOnce bounds how many clicks or conversions one statement names.
const maxAtOnce = 500

// visitorLife is how far from one of its clicks a visitor's others may be: a hash
// lives for a day, and for the first half hour of the next.
const visitorLife = 25 * time.Hour

// A clickRange are clicks of one person and the time between the first and the last.
type clickRange struct {
	ids      []string
	from, to time.Time
}

// ranges sorts click ids by time, which they say themselves, and cuts them into
// pieces that a statement can name. What is no click id is left out.
func (s *Service) ranges(ids []string) []clickRange {
	ids = slices.DeleteFunc(slices.Sorted(slices.Values(ids)), func(id string) bool {
		_, err := s.o.ClickKeys.OpenClickID(id)
		return err != nil
	})
	var ranges []clickRange
	for part := range slices.Chunk(slices.Compact(ids), maxAtOnce) {
		first, _ := s.o.ClickKeys.OpenClickID(part[0]) // they were opened above
		last, _ := s.o.ClickKeys.OpenClickID(part[len(part)-1])
		ranges = append(ranges, clickRange{part, time.UnixMilli(first.AtMs).UTC(), time.UnixMilli(last.AtMs).UTC()})
	}
	return ranges
}

// set is a list as the right side of IN.
func set[T any](values []T) clickhouse.GroupSet {
	group := clickhouse.GroupSet{Value: make([]any, len(values))}
	for i := range values {
		group.Value[i] = values[i]
	}
	return group
}

// visits are the clicks that hold something of the person: those known of it, and
// those of the visitors who made them. visitors is told each visitor's hash; it may
// be nil.
func (s *Service) visits(ctx context.Context, e *Erasure, visitors map[uint64]bool) ([]string, error) {
	found := map[string]bool{}
	for _, r := range s.ranges(e.clicks) {
		hashes, from, to, err := s.visitorsOf(ctx, e.AdvertiserID, r)
		if err != nil {
			return nil, err
		}
		for _, hash := range hashes {
			if visitors != nil {
				visitors[hash] = true
			}
		}
		hashes = append(hashes, noVisitor)
		rows, err := s.o.ClickHouse.Query(ctx, schema.ClickHouseQuery("erase_visits"), e.AdvertiserID, text(from), text(to), set(hashes), set(r.ids))
		if err != nil {
			return nil, fmt.Errorf("find the visits of a person: %w", err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			found[id] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("find the visits of a person: %w", err)
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// noVisitor is no visitor's hash, so that no list of them is empty.
const noVisitor = ^uint64(0)

// visitorsOf are the visitors of clicks, and how far from those their others are.
func (s *Service) visitorsOf(ctx context.Context, advertiserID string, r clickRange) (hashes []uint64, from, to time.Time, err error) {
	from, to = r.from, r.to
	rows, err := s.o.ClickHouse.Query(ctx, schema.ClickHouseQuery("erase_clicks_of"), advertiserID, text(r.from), text(r.to), set(r.ids))
	if err != nil {
		return nil, from, to, fmt.Errorf("find the visitors of clicks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var hash uint64
		var first, last time.Time
		if err := rows.Scan(&hash, &first, &last); err != nil {
			return nil, from, to, fmt.Errorf("find the visitors of clicks: %w", err)
		}
		hashes = append(hashes, hash)
	}
	if len(hashes) > 0 {
		from, to = from.Add(-visitorLife), to.Add(visitorLife)
	}
	return hashes, from, to, rows.Err()
}

// findClicks keeps every click of the person, before the rows that tell of the
// visitor are emptied.
func (s *Service) findClicks(ctx context.Context, e *Erasure) error {
	if err := s.keptClicks(ctx, e); err != nil {
		return err
	}
	visits, err := s.visits(ctx, e, nil)
	if err != nil {
		return err
	}
	e.clicks = append(e.clicks, visits...)
	return s.write(ctx, func(ctx context.Context, tx *database.Tx) error {
		for _, id := range visits {
			if _, err := tx.Exec(ctx, "erasure.keep_click", e.ID, id); err != nil {
				return err
			}
		}
		if len(visits) > 0 {
			e.Found["clicks"] = max(e.Found["clicks"], int64(len(visits)))
		}
		if _, err := tx.Exec(ctx, "erasure.clicks_found", e.ID); err != nil {
			return err
		}
		return keepFound(ctx, tx, e)
	})
}

func (s *Service) keptClicks(ctx context.Context, e *Erasure) (err error) {
	rows, err := s.o.DB.Rows(ctx, "erasure.clicks", e.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("erasures: the clicks of a person: %w", err)
		}
		e.clicks = append(e.clicks, id)
	}
	return rows.Err()
}

// empty leaves of a click what figures are made of.
func empty(c *attribution.Click) {
	c.Visitor, c.VisitorPrev, c.ASN = 0, 0, 0
	c.Region, c.City, c.ASOrg, c.Network, c.UserAgent, c.Language = nil, nil, nil, nil, nil, nil
	c.Sub = [5][]byte{}
	if i := bytes.IndexAny(c.Destination, "?#"); i >= 0 {
		c.Destination = c.Destination[:i]
	}
}

// eraseClicks empties the rows of the person's clicks.
func (s *Service) eraseClicks(ctx context.Context, e *Erasure) error {
	for _, r := range s.ranges(e.clicks) {
		err := s.o.ClickHouse.Exec(ctx, schema.ClickHouseQuery("erase_clicks"), e.AdvertiserID, text(r.from), text(r.to), set(r.ids))
		if err != nil {
			return fmt.Errorf("empty clicks in ClickHouse: %w", err)
		}
	}
	return nil
}

// storedConversions are the customer's conversions that ClickHouse knows as such.
func (s *Service) storedConversions(ctx context.Context, e *Erasure) ([]string, error) {
	var ids []string
	for _, hash := range e.hashes {
		rows, err := s.o.ClickHouse.Query(ctx, schema.ClickHouseQuery("erase_conversions_of"), e.AdvertiserID, hash, text(e.RequestedAt.Time()))
		if err != nil {
			return nil, fmt.Errorf("find the customer's conversions in ClickHouse: %w", err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("find the customer's conversions in ClickHouse: %w", err)
		}
	}
	return ids, nil
}

// eraseConversions puts the stand-in into ClickHouse's copy of conversions.
func (s *Service) eraseConversions(ctx context.Context, e *Erasure) error {
	ids, err := s.storedConversions(ctx, e)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, maxAtOnce) {
		if err := s.o.ClickHouse.Exec(ctx, schema.ClickHouseQuery("erase_conversions"), e.standIn, e.AdvertiserID, set(part)); err != nil {
			return fmt.Errorf("rename conversions in ClickHouse: %w", err)
		}
	}
	if len(ids) > 0 {
		e.Found["clickhouse_conversions"] += int64(len(ids))
	}
	return nil
}

// text is a time as ClickHouse compares it with a DateTime64.
func text(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }
