package links

import (
	"context"
	"errors"
	"fmt"

	"tributary/attribution"
)

// ask returns what changed after a number, from the first source that can tell.
func (f *Follower) ask(ctx context.Context, after int64, limit int) ([]attribution.RouteChange, error) {
	changes, err := f.o.Source.RoutesSince(ctx, after, limit)
	if err == nil || f.o.Fallback == nil || errors.Is(err, ErrWentBack) {
		return changes, err
	}
	changes, second := f.o.Fallback.RoutesSince(ctx, after, limit)
	if second == nil {
		return changes, nil
	}
	return nil, errors.Join(err, second)
}

// readAll reads everything from the first source that has it, while the index
// serves what it has.
func (f *Follower) readAll(ctx context.Context) (through int64, err error) {
	through, err = f.readFrom(ctx, f.o.Source)
	if err == nil || f.o.Fallback == nil || ctx.Err() != nil {
		return through, err
	}
	through, second := f.readFrom(ctx, f.o.Fallback)
	if second == nil {
		return through, nil
	}
	return 0, errors.Join(err, second)
}

func (f *Follower) readFrom(ctx context.Context, source Source) (through int64, err error) {
	f.index.locked((*store).beginReload)
	through, err = source.Routes(ctx, func(c attribution.RouteChange) error {
		f.index.mu.Lock()
		defer f.index.mu.Unlock()
		f.index.apply(&c)
		return ctx.Err()
	})
	if err != nil {
		return 0, fmt.Errorf("reading all links: %w", err)
	}
	f.index.locked((*store).endReload)
	if f.index.max > 0 {
		err = f.refresh(ctx)
	}
	return through, err
}

// refresh reads the links that are held again.
func (f *Follower) refresh(ctx context.Context) error {
	const batch = 256
	for next := 0; ; {
		var slugs []string
		f.index.locked(func(s *store) { slugs, next = s.slugsFrom(next, batch) })
		if len(slugs) == 0 {
			return nil
		}
		found, err := f.o.Finder.Find(ctx, slugs...)
		if err != nil {
			return fmt.Errorf("reading links again: %w", err)
		}
		f.index.mu.Lock()
		for i, change := range found {
			if change == nil {
				f.index.store.removeSlug(slugs[i])
			} else {
				f.index.apply(change)
			}
		}
		f.index.mu.Unlock()
	}
}

func (x *Index) isPartial() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.partial
}
