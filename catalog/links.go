package catalog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// A LinkFilter narrows a list of links.
type LinkFilter struct {
	TaskID     string
	CampaignID string
	CreatorID  string
	Platform   string
	Slug       string // in any case
	Label      string
}

// linkOptions are what most links do not have, stored as one text.
type linkOptions struct {
	Sub         *[5]string                    `json:"sub,omitempty"`
	Rules       []attribution.DestinationRule `json:"rules,omitempty"`
	Split       []attribution.SplitArm        `json:"split,omitempty"`
	ExpiresAtMs int64                         `json:"expires_at_ms,omitempty"`
	MaxClicks   int64                         `json:"max_clicks,omitempty"`
}

// options writes a link's options; empty when it has none.
func (f LinkFields) options() (string, error) {
	options := linkOptions{Rules: f.Rules, Split: f.Split, ExpiresAtMs: orZero(f.ExpiresAt), MaxClicks: f.MaxClicks}
	if sub := [5]string{f.Sub1, f.Sub2, f.Sub3, f.Sub4, f.Sub5}; sub != [5]string{} {
		options.Sub = &sub
	}
	text, err := encode(options)
	if text == "{}" {
		return "", err
	}
	return text, err
}

func (f *LinkFields) setOptions(text string) error {
	if text == "" {
		return nil
	}
	var options linkOptions
	if err := decode(text, &options); err != nil {
		return err
	}
	f.Rules, f.Split, f.ExpiresAt, f.MaxClicks = options.Rules, options.Split, attribution.InstantOrNil(options.ExpiresAtMs), options.MaxClicks
	if sub := options.Sub; sub != nil {
		f.Sub1, f.Sub2, f.Sub3, f.Sub4, f.Sub5 = sub[0], sub[1], sub[2], sub[3], sub[4]
	}
	return nil
}

// Link finds a link. A deleted one is found, with the time it was deleted.
func (c *Catalog) Link(ctx context.Context, scope Scope, id string) (Link, error) {
	return c.linkIn(scope, c.db.Row(ctx, "link.by_id", id), id)
}

// LinkByNumber finds a link by the number sealed into its click ids.
func (c *Catalog) LinkByNumber(ctx context.Context, scope Scope, number uint64) (Link, error) {
	return c.linkIn(scope, c.db.Row(ctx, "link.by_number", int64(number)), strconv.FormatUint(number, 10))
}

func (c *Catalog) linkIn(scope Scope, row scanner, id string) (Link, error) {
	found, err := c.scanLink(row)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(found.AdvertiserID, found.CreatorID) {
		return Link{}, notFound("link", id)
	}
	return found.Link, err
}

// Links lists the links that are not deleted.
func (c *Catalog) Links(ctx context.Context, scope Scope, filter LinkFilter, p Page) (List[Link], error) {
	given := database.Given{
		"task_id": filter.TaskID, "campaign_id": filter.CampaignID, "creator_id": filter.CreatorID, "platform": filter.Platform,
		"slug": strings.ToLower(filter.Slug), "label": filter.Label,
	}
	if !scope.limitOwned(given) {
		return List[Link]{Items: []Link{}}, nil
	}
	given.Narrow("task_id", "label", "creator_id", "campaign_id", "advertiser_id")
	scan := func(row scanner) (Link, error) {
		found, err := c.scanLink(row)
		return found.Link, err
	}
	return page(ctx, c.db, "link.list", given, p, byNumber, scan, func(l Link) string { return strconv.FormatUint(l.Number, 10) })
}

// PatchLink applies a merge patch. A slug cannot be changed: it is out in the world.
func (c *Catalog) PatchLink(ctx context.Context, scope Scope, id string, patch []byte) (Link, error) {
	var now Link
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.liveLink(ctx, scope, id)
		if err != nil {
			return err
		}
		fields, changed, err := merge(was.written, patch)
		if now = was.Link; err != nil || len(changed) == 0 {
			return err
		}
		room, err := c.linkRoom(ctx, scope, was.TaskID)
		if err != nil {
			return err
		}
		var check fieldCheck
		frozen(&check.Checker, changed, "make another link instead", "slug")
		fields.check(&check, room.destination, room.domains)
		if slices.Contains(changed, "post_id") {
			if err := c.checkPost(ctx, &check, fields.PostID, was.TaskID); err != nil {
				return err
			}
		}
		if slices.Contains(changed, "expires_at") {
			check.ahead("body.expires_at", fields.ExpiresAt, w.at)
		}
		if err := check.Err(); err != nil {
			return err
		}
		options, err := fields.options()
		if err != nil {
			return err
		}
		_, err = w.Exec(ctx, "link.update", id, fields.PostID, fields.Destination, fields.Label, options, flag(fields.Disabled), int64(w.at), w.number)
		if err != nil {
			return err
		}
		now.LinkFields, now.UpdatedAt = fields, w.at
		now.Slug, now.Destination = was.Slug, orDefault(fields.Destination, room.destination)
		w.announce()
		return w.audit(ctx, "update", "link", id, was.AdvertiserID, changed)
	})
	return now, err
}

// DeleteLink kills a link at once: trackers answer its slug with 404. The slug is
// never given to another link.
func (c *Catalog) DeleteLink(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Link(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if _, err := w.Exec(ctx, "link.delete", id, int64(w.at), w.number); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "delete", "link", id, was.AdvertiserID, nil)
	})
}

func (c *Catalog) liveLink(ctx context.Context, scope Scope, id string) (linkRow, error) {
	found, err := c.scanLink(c.db.Row(ctx, "link.by_id", id))
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && !scope.owns(found.AdvertiserID, found.CreatorID):
		return found, notFound("link", id)
	case err == nil && found.ArchivedAt != nil:
		return found, conflict("link %s is deleted", id)
	}
	return found, err
}
