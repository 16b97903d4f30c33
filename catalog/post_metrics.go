package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"

	"tributary/attribution"
	"tributary/schema/database"
)

// maxInstant is later than every snapshot.
const maxInstant = attribution.Instant(math.MaxInt64)

// maxMetric bounds every metric: more than the people there are, seen often.
const maxMetric = 1_000_000_000_000

// A PostReading is what was seen of a post: what is left out is as it was in the
// snapshot before.
type PostReading struct {
	At        *attribution.Instant `json:"at,omitempty" doc:"When it was seen; now by default. The same time again replaces what was seen then"`
	Views     *int64               `json:"views,omitempty"`
	Likes     *int64               `json:"likes,omitempty"`
	Shares    *int64               `json:"shares,omitempty"`
	Comments  *int64               `json:"comments,omitempty"`
	Followers *int64               `json:"followers,omitempty" doc:"Of the account it was posted by"`
}

// A PostSnapshot is what a post had achieved at a time.
type PostSnapshot struct {
	At        attribution.Instant `json:"at"`
	Views     int64               `json:"views"`
	Likes     int64               `json:"likes"`
	Shares    int64               `json:"shares"`
	Comments  int64               `json:"comments"`
	Followers int64               `json:"followers" doc:"Of the account; 0 when unknown"`
}

func (s *PostSnapshot) set(c *fieldCheck, r *PostReading) {
	given := false
	for _, m := range []struct {
		name string
		to   *int64
		read *int64
	}{
		{"views", &s.Views, r.Views}, {"likes", &s.Likes, r.Likes}, {"shares", &s.Shares, r.Shares},
		{"comments", &s.Comments, r.Comments}, {"followers", &s.Followers, r.Followers},
	} {
		if m.read == nil {
			continue
		}
		given = true
		c.Require(*m.read >= 0 && *m.read <= maxMetric, "body."+m.name, "must be 0 to %d", int64(maxMetric))
		*m.to = *m.read
	}
	c.Require(given, "body", "must have at least one of views, likes, shares, comments and followers")
}

// AddPostMetrics keeps what was seen of a post and returns the post. Creators do
// not count their own success.
func (c *Catalog) AddPostMetrics(ctx context.Context, scope Scope, id string, reading PostReading) (Post, error) {
	var now Post
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		post, err := c.Post(ctx, scope, id)
		if err != nil {
			return err
		}
		if !scope.manages(post.AdvertiserID) {
			return forbidden(scope, "write the metrics of posts")
		}
		if post.ArchivedAt != nil {
			return archived("post", id)
		}
		at := w.at
		if reading.At != nil {
			at = *reading.At
		}
		var check fieldCheck
		check.Require(at > 0 && at <= w.at+maxClockLeadMs, "body.at", "must not be in the future")
		seen := PostSnapshot{}
		before, err := c.snapshotAt(ctx, id, at)
		if err != nil {
			return err
		}
		if before != nil {
			seen = *before
		}
		seen.At = at
		seen.set(&check, &reading)
		if err := check.Err(); err != nil {
			return err
		}
		if _, err := w.Exec(ctx, "post.insert_snapshot", id, int64(at), seen.Views, seen.Likes, seen.Shares, seen.Comments, seen.Followers); err != nil {
			return err
		}
		if err := c.postChanged(ctx, scope, id); err != nil {
			return err
		}
		now, err = c.Post(ctx, scope, id)
		return err
	})
	return now, err
}

// PostMetrics lists what was seen of a post, newest first.
func (c *Catalog) PostMetrics(ctx context.Context, scope Scope, id string, p Page) (List[PostSnapshot], error) {
	if _, err := c.Post(ctx, scope, id); err != nil {
		return List[PostSnapshot]{Items: []PostSnapshot{}}, err
	}
	before := func(cursor string) (any, bool) {
		at, err := strconv.ParseInt(cursor, 10, 64)
		return at, err == nil
	}
	return page(ctx, c.db, "post.snapshots", database.Given{"post_id": id}, p, before, scanSnapshot,
		func(s PostSnapshot) string { return strconv.FormatInt(int64(s.At), 10) })
}

// snapshotAt is the last snapshot up to a time; nil when there is none.
func (c *Catalog) snapshotAt(ctx context.Context, postID string, at attribution.Instant) (*PostSnapshot, error) {
	found, err := scanSnapshot(c.db.Row(ctx, "post.snapshot_at", postID, int64(at)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &found, nil
}

func scanSnapshot(row scanner) (PostSnapshot, error) {
	var s PostSnapshot
	if err := row.Scan(&s.At, &s.Views, &s.Likes, &s.Shares, &s.Comments, &s.Followers); err != nil {
		return s, fmt.Errorf("catalog: reading a post's metrics: %w", err)
	}
	return s, nil
}
