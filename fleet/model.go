package fleet

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"tributary/attribution"
)

// A model is one generation of the read-model: every advertiser, campaign and
// link as it is now, in hashes, the shelves. Links stand under their folded slug,
// which no two of them share, on a shelf that the slug says, so that one question
// finds a link, and reading everything needs no search among foreign keys.
//
// Each shelf has a mark once it was filled. A shelf without one was lost, or never
// filled: what is not on it may exist all the same.
type model struct {
	client     *Client
	generation string
}

const (
	linkShelves = 1024
	// shelfMark is the field of a shelf's mark; no slug or identifier is like it.
	shelfMark = "."

	modelBatch  = 1000 // entries written at once
	scanShelves = 64   // shelves read at once
	scanEntries = 500  // of each
)

// shelves are the keys of all shelves: advertisers, campaigns, links.
func (m *model) shelves() []string {
	all := []string{m.advertisers(), m.campaigns()}
	for i := range uint32(linkShelves) {
		all = append(all, m.shelf(i))
	}
	return all
}

// shelfPattern matches the shelves of all generations.
const shelfPattern = "shelf:*"

func (m *model) key(name string) string {
	return m.client.SpreadKey("shelf:" + m.generation + ":" + name)
}
func (m *model) advertisers() string   { return m.key("advertisers") }
func (m *model) campaigns() string     { return m.key("campaigns") }
func (m *model) shelf(i uint32) string { return m.key("links:" + strconv.Itoa(int(i))) }

func (m *model) shelfOf(folded string) string {
	return m.shelf(crc32.ChecksumIEEE([]byte(folded)) % linkShelves)
}

// place says where a change stands.
func (m *model) place(c *attribution.RouteChange) (shelf, field string) {
	switch {
	case c.Advertiser != nil:
		return m.advertisers(), c.Advertiser.ID
	case c.Campaign != nil:
		return m.campaigns(), c.Campaign.ID
	}
	field = strings.ToLower(c.Link.Slug)
	return m.shelfOf(field), field
}

// put writes entries where what is there is older. It may be repeated, late, and
// in any order.
var put = redis.NewScript(`
for i = 1, #ARGV, 3 do
	local old = redis.call('HGET', KEYS[1], ARGV[i])
	if not old or tonumber(string.match(old, '^%d+')) < tonumber(ARGV[i + 1]) then
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
	end
end
return 1`)

// write brings changes into the model. A deleted link stays as a mark of its
// deletion, so that nobody late brings it back. It fails where any shelf did not
// take what was for it; the others may have.
func (m *model) write(ctx context.Context, changes []attribution.RouteChange) error {
	byShelf := map[string][]any{}
	for i := range changes {
		entry, concerns := appendEntry(nil, &changes[i])
		if !concerns {
			continue
		}
		shelf, field := m.place(&changes[i])
		byShelf[shelf] = append(byShelf[shelf], field, changes[i].Number, entry)
	}
	calls := make([]call, 0, len(byShelf))
	for shelf, args := range byShelf {
		calls = append(calls, call{keys: []string{shelf}, args: args})
	}
	return m.client.runAll(ctx, put, calls)
}

// mark marks every shelf as filled.
func (m *model) mark(ctx context.Context) error {
	return m.onShelves(ctx, m.shelves(), func(pipe redis.Pipeliner, shelf string) { pipe.HSet(ctx, shelf, shelfMark, "0") })
}

// marked reports whether every shelf has its mark.
func (m *model) marked(ctx context.Context) (bool, error) {
	var marks []*redis.BoolCmd
	err := m.onShelves(ctx, m.shelves(), func(pipe redis.Pipeliner, shelf string) {
		marks = append(marks, pipe.HExists(ctx, shelf, shelfMark))
	})
	return err == nil && !slices.ContainsFunc(marks, func(m *redis.BoolCmd) bool { return !m.Val() }), err
}

func (m *model) onShelves(ctx context.Context, shelves []string, do func(pipe redis.Pipeliner, shelf string)) error {
	all, err := m.client.Redis()
	if err != nil {
		return err
	}
	_, err = all.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, shelf := range shelves {
			do(pipe, shelf)
		}
		return nil
	})
	return err
}

// errIncomplete says that the read-model does not have everything: it is being
// filled, or a part of it was lost and will be filled again.
var errIncomplete = errors.New("the links in Redis are incomplete; they are being written again")

// each yields every entry of some shelves, deleted links left out, or fails with
// errIncomplete when a shelf has no mark.
func (m *model) each(ctx context.Context, shelves []string, yield func(attribution.RouteChange) error) error {
	for some := range slices.Chunk(shelves, scanShelves) {
		cursors, marked := map[string]uint64{}, map[string]bool{}
		for _, shelf := range some {
			cursors[shelf] = 0
		}
		for len(cursors) > 0 {
			pages, err := m.nextPages(ctx, cursors)
			if err != nil {
				return err
			}
			for shelf, pairs := range pages {
				isMarked, err := yieldPage(pairs, yield)
				if err != nil {
					return err
				}
				marked[shelf] = marked[shelf] || isMarked
			}
		}
		for _, shelf := range some {
			if !marked[shelf] {
				return errIncomplete
			}
		}
	}
	return nil
}

// nextPages reads the next page of each shelf, fields and values in turn, and moves
// its cursor; that of a shelf at its end it takes out.
func (m *model) nextPages(ctx context.Context, cursors map[string]uint64) (map[string][]string, error) {
	scans := map[string]*redis.ScanCmd{}
	err := m.onShelves(ctx, slices.Sorted(maps.Keys(cursors)), func(pipe redis.Pipeliner, shelf string) {
		scans[shelf] = pipe.HScan(ctx, shelf, cursors[shelf], "", scanEntries)
	})
	if err != nil {
		return nil, err
	}
	pages := map[string][]string{}
	for shelf, scan := range scans {
		if pages[shelf], cursors[shelf] = scan.Val(); cursors[shelf] == 0 {
			delete(cursors, shelf)
		}
	}
	return pages, nil
}

// yieldPage yields the entries of a page, and reports whether the mark is on it.
func yieldPage(pairs []string, yield func(attribution.RouteChange) error) (marked bool, err error) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == shelfMark {
			marked = true
		} else if err := yieldEntry(pairs[i+1], yield); err != nil {
			return false, err
		}
	}
	return marked, nil
}

func yieldEntry(value string, yield func(attribution.RouteChange) error) error {
	change, err := readNumbered(value)
	if err != nil || change.Link != nil && change.Link.Deleted {
		return err
	}
	return yield(change)
}

// find looks slugs up, in any case. What it finds has their order: nil where there
// is no such link, or it was deleted.
func (m *model) find(ctx context.Context, slugs []string) ([]*attribution.RouteChange, error) {
	all, err := m.client.Redis()
	if err != nil {
		return nil, err
	}
	answers := make([]*redis.SliceCmd, len(slugs))
	_, err = all.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, slug := range slugs {
			folded := strings.ToLower(slug)
			answers[i] = pipe.HMGet(ctx, m.shelfOf(folded), shelfMark, folded)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found := make([]*attribution.RouteChange, len(slugs))
	for i, answer := range answers {
		pair := answer.Val()
		if len(pair) != 2 {
			return nil, fmt.Errorf("fleet: %d values for a link", len(pair))
		}
		value, known := pair[1].(string)
		switch {
		case !known && pair[0] == nil:
			return nil, errIncomplete
		case !known:
			continue
		}
		change, err := readNumbered(value)
		if err != nil {
			return nil, err
		}
		if !change.Link.Deleted {
			found[i] = &change
		}
	}
	return found, nil
}
