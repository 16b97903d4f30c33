package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/fleet"
	"tributary/redirect"
	"tributary/redirect/links"
)

// trackerPublishes is how often a node without the role admin looks whether there
// are changes that no admin node brought to Redis, such as its own ledger's while
// all admin nodes are down, or an admin node's that does not reach Redis. A change
// takes effect everywhere within 5 s: this is a part of them.
const trackerPublishes = 2 * time.Second

// openFleet connects this node to the others, where there are any, and has it bring
// changes of links to them.
func (a *app) openFleet(ctx context.Context, c appConfig) error {
	if err := a.connectFleet(ctx, c); err != nil || a.fleet == nil {
		return err
	}
	o := fleet.PublisherOptions{Client: a.fleet, Database: a.things, Changed: a.things.Changed(), Log: a.log}
	if !a.options.Admin {
		o.Poll = trackerPublishes
	}
	publisher := fleet.NewPublisher(o)
	a.life.background("links to Redis", publisher.Run)
	a.measurePublisher(publisher)
	return nil
}

// connectFleet opens Redis, where there is one. It may be away.
func (a *app) connectFleet(context.Context, appConfig) error {
	if len(a.options.Redis) == 0 {
		return nil
	}
	name, err := a.secrets.installationName()
	if err != nil {
		return err
	}
	a.fleet, err = fleet.Open(fleet.Options{Addresses: a.options.redisURLs(), Installation: name, Log: a.log})
	if err != nil {
		return err
	}
	a.life.onClose("Redis client", a.fleet.Close)
	return nil
}

// redisURLs are the addresses with their credentials.
func (o Options) redisURLs() (urls []string) {
	for _, server := range o.Redis {
		urls = append(urls, string(server))
	}
	return urls
}

// follow keeps the index as the catalog says: by Redis, where other nodes are, or
// else by the database. What it returns asks for links the index does not have,
// nil when there is nobody to ask.
func (a *app) follow() redirect.Misses {
	o := links.FollowerOptions{
		Source: catalogRoutes{a.things}, Catalog: a.options.Database.String(), Dir: a.dir.file(linksDir), Changed: a.things.Changed(), Logger: a.log,
	}
	if a.fleet == nil {
		a.life.background("link index", links.Follow(a.index, o).Run)
		return nil
	}
	feed := fleet.NewFeed(a.fleet, fleet.FeedOptions{Refilled: a.options.MaxLinks > 0})
	o.Source, o.Fallback, o.Finder = redisRoutes{feed}, o.Source, feed
	if a.options.MaxLinks > 0 {
		o.Source, o.Fallback = redisThings{redisRoutes{feed}}, catalogThings{catalogRoutes{a.things}}
	}
	changed := make(chan struct{}, 1)
	o.Changed = changed
	a.life.background("news of links", feed.Run)
	a.life.background("news of changes", func(ctx context.Context) { forward(ctx, changed, feed.Changed(), a.things.Changed()) })
	misses := links.NewMisses(a.index, feed)
	a.measureMisses(misses)
	a.life.background("link index", links.Follow(a.index, o).Run)
	return misses
}

// forward passes notices of two channels on to one, until ctx is done. They
// coalesce.
func forward(ctx context.Context, to chan<- struct{}, first, second <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-first:
		case <-second:
		}
		select {
		case to <- struct{}{}:
		default:
		}
	}
}

// catalogRoutes are the catalog's feed as a follower takes it: a database that was
// restored under a running node is noticed.
type catalogRoutes struct{ *catalog.Catalog }

// RoutesSince implements links.Source.
func (c catalogRoutes) RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	changes, err := c.Catalog.RoutesSince(ctx, after, limit)
	if err != nil || len(changes) > 0 {
		return changes, err
	}
	last, err := c.LastChange(ctx)
	if err == nil && last < after {
		err = fmt.Errorf("%w: from change %d to %d", links.ErrWentBack, after, last)
	}
	return nil, err
}

// catalogThings are catalogRoutes for an index that takes links one by one.
type catalogThings struct{ catalogRoutes }

// errOnlyLinks ends a reading of everything where the links begin.
var errOnlyLinks = errors.New("only links are left")

// Routes implements links.Source.
func (c catalogThings) Routes(ctx context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	through, err := c.LastChange(ctx)
	if err != nil {
		return 0, err
	}
	_, err = c.Catalog.Routes(ctx, func(change attribution.RouteChange) error {
		if change.Link != nil {
			return errOnlyLinks
		}
		return yield(change)
	})
	if errors.Is(err, errOnlyLinks) {
		err = nil
	}
	return through, err
}

// redisRoutes are the links in Redis as a follower takes them.
type redisRoutes struct{ *fleet.Feed }

// RoutesSince implements links.Source.
func (r redisRoutes) RoutesSince(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	changes, err := r.Feed.RoutesSince(ctx, after, limit)
	switch {
	case errors.Is(err, fleet.ErrRestored):
		return nil, fmt.Errorf("%w: %w", links.ErrWentBack, err)
	case errors.Is(err, fleet.ErrMissed):
		return nil, fmt.Errorf("%w: %w", links.ErrMissed, err)
	}
	return changes, err
}

// redisThings are redisRoutes for an index that takes links one by one.
type redisThings struct{ redisRoutes }

// Routes implements links.Source.
func (r redisThings) Routes(ctx context.Context, yield func(attribution.RouteChange) error) (int64, error) {
	return r.Things(ctx, yield)
}
