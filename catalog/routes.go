package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// routePage is how many rows of the feed one query reads.
const routePage = 10_000

// Routes yields every advertiser, then every campaign, then every link that is
// not deleted, as they are now, and returns the change number from which to
// follow with RoutesSince. What changes meanwhile may be yielded in its old or
// its new form, and comes again after that number.
//
// The texts of a link's route are parts of one string: keep a copy of what is to
// be kept alone. Routes stops at the first error of yield and returns it.
func (c *Catalog) Routes(ctx context.Context, yield func(attribution.RouteChange) error) (through int64, err error) {
	if through, err = c.LastChange(ctx); err != nil {
		return 0, err
	}
	for _, feed := range []struct {
		routeFeed
		place func(attribution.RouteChange) int64
	}{
		{routeFeed{"route.advertisers", scanAdvertiserRoute}, changeNumber},
		{routeFeed{"route.campaigns", scanCampaignRoute}, changeNumber},
		{routeFeed{"route.live_links", scanLinkRoute}, linkNumber},
	} {
		for after, full := int64(0), true; full; {
			count := 0
			err := eachRoute(ctx, c.db, feed.routeFeed, after, routePage, func(change attribution.RouteChange) error {
				count++
				after = feed.place(change)
				return yield(change)
			})
			if err != nil {
				return 0, err
			}
			full = count == routePage
		}
	}
	return through, nil
}

// LastChange returns the number of the last change that trackers follow, 0 before
// the first. Changes of other things take numbers, too, but never come by RoutesSince:
// who counted them would wait for what is not to come. It goes back only where the
// database does, as after a restore.
func (c *Catalog) LastChange(ctx context.Context) (number int64, err error) {
	if err := c.db.Row(ctx, "route.last").Scan(&number); err != nil {
		return 0, fmt.Errorf("catalog: reading the last change: %w", err)
	}
	return number, nil
}

func changeNumber(change attribution.RouteChange) int64 { return change.Number }
func linkNumber(change attribution.RouteChange) int64   { return int64(change.Link.Identity.Number) }

// RoutesSince returns up to limit changes numbered above after, in order. What
// changed several times comes once, as it is now. Deleted links are among them.
func (c *Catalog) RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	return c.changesSince(ctx, after, limit, routeFeed{"route.advertisers", scanAdvertiserRoute}, routeFeed{"route.campaigns", scanCampaignRoute},
		routeFeed{"route.links", scanLinkRoute})
}

// A routeFeed is a query of rows that changed after a number, in order, and how
// they are read.
type routeFeed struct {
	query string
	scan  func(scanner) (attribution.RouteChange, error)
}

// changesSince returns up to limit changes of all feeds numbered above after, in
// order, as they are at one moment.
func (c *Catalog) changesSince(ctx context.Context, after int64, limit int, feeds ...routeFeed) ([]attribution.RouteChange, error) {
	limit = min(max(limit, 1), routePage)
	var changes []attribution.RouteChange
	keep := func(change attribution.RouteChange) error {
		changes = append(changes, change)
		return nil
	}
	err := c.db.View(ctx, func(ctx context.Context, tx *database.Tx) error {
		for _, feed := range feeds {
			if err := eachRoute(ctx, tx, feed, after, limit, keep); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(changes, func(a, b attribution.RouteChange) int { return int(a.Number - b.Number) })
	return changes[:min(len(changes), limit)], nil
}

func eachRoute(ctx context.Context, db database.Reader, feed routeFeed, after int64, limit int, yield func(attribution.RouteChange) error) error {
	return each(ctx, db, feed.query, func(row scanner) error {
		change, err := feed.scan(row)
		if err != nil {
			return fmt.Errorf("catalog: reading the feed: %w", err)
		}
		return yield(change)
	}, after, limit)
}

func scanAdvertiserRoute(row scanner) (attribution.RouteChange, error) {
	var change attribution.RouteChange
	var text string
	var fields AdvertiserFields
	route := &attribution.AdvertiserRoute{}
	if err := row.Scan(&change.Number, &route.ID, &text, &route.PublicKey); err != nil {
		return change, err
	}
	err := decode(text, &fields)
	route.Domains, route.ClickParam = fields.Domains, fields.ClickParam
	change.Advertiser = route
	return change, err
}

func scanCampaignRoute(row scanner) (attribution.RouteChange, error) {
	var change attribution.RouteChange
	var text string
	var fields CampaignFields
	var approved, paused, closed, over int64
	route := &attribution.CampaignRoute{}
	if err := row.Scan(&change.Number, &route.ID, &route.AdvertiserID, &text, &approved, &paused, &closed, &over,
		&route.State.StartsAtMs, &route.State.EndsAtMs); err != nil {
		return change, err
	}
	err := decode(text, &fields)
	route.Destination, route.InactiveDestination = fields.Destination, fields.InactiveDestination
	route.State.Approved, route.State.Paused = approved != 0, paused != 0
	route.State.Closed, route.State.OverBudget = closed != 0, over != 0
	change.Campaign = route
	return change, err
}

// scanLinkRoute takes apart the text that holds all of a link but its numbers
// and options. The text is read as one because each column read costs as much.
func scanLinkRoute(row scanner) (attribution.RouteChange, error) {
	var change attribution.RouteChange
	var number int64
	var text, options sql.RawBytes
	if err := row.Scan(&change.Number, &number, &text, &options); err != nil {
		return change, err
	}
	route := &attribution.LinkRoute{}
	change.Link = route
	id := &route.Identity
	id.Number = uint64(number)
	const flags = "0 0 0 " // vanity, disabled, deleted
	if len(text) < len(flags) {
		return change, fmt.Errorf("link %d is stored in pieces", number)
	}
	route.Vanity, route.Disabled, route.Deleted = text[0] == '1', text[2] == '1', text[4] == '1'
	rest, whole := string(text[len(flags):]), true
	for _, part := range [...]*string{
		&id.LinkID, &route.Slug, &id.TaskID, &id.PostID, &id.CampaignID, &id.CreatorID, &id.AdvertiserID, &id.Platform, &id.Currency,
	} {
		var more bool
		*part, rest, more = strings.Cut(rest, " ")
		whole = whole && more
	}
	if !whole {
		return change, fmt.Errorf("link %d is stored in pieces", number)
	}
	route.Destination = rest
	if len(options) == 0 {
		return change, nil
	}
	var optional linkOptions
	err := decode(string(options), &optional)
	route.Rules, route.Split, route.ExpiresAtMs, route.MaxClicks = optional.Rules, optional.Split, optional.ExpiresAtMs, optional.MaxClicks
	if optional.Sub != nil {
		route.Sub = *optional.Sub
	}
	return change, err
}
