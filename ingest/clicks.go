package ingest

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cespare/xxhash/v2"

	"tributary/attribution"
	"tributary/ingest/agent"
)

// Clicks is the Table of clicks. It enriches each record with what the user
// agent and the referrer tell and with whether the hit is unique.
//
// A hit is unique when it is the visitor's first valid one on the link in a
// rolling UniqueWindowLength. A hit with Sec-GPC: 1 carries no visitor hash and
// is never unique: it counts as a click, but nobody can show that it was
// somebody's first, so that unique clicks are a lower bound an advertiser can
// rely on and never overstate an audience. The gpc column tells how many there are.
type Clicks struct {
	conn    driver.Conn
	window  UniqueWindow
	agents  *agent.Cache
	links   map[string]*linkTexts // by encoded LinkIdentity
	texts   *interner
	reasons map[attribution.Reasons][]string
}

// The bounds of what Clicks remembers to avoid work.
const (
	maxRememberedAgents = 20_000
	maxRememberedLinks  = 100_000
	maxRememberedTexts  = 50_000
)

// NewClicks makes the Table of clicks. conn is asked for the window before a
// life's first click.
func NewClicks(conn driver.Conn, window UniqueWindow) *Clicks {
	return &Clicks{
		conn: conn, window: window, agents: agent.NewCache(maxRememberedAgents),
		links: map[string]*linkTexts{}, texts: newInterner(maxRememberedTexts),
		reasons: map[attribution.Reasons][]string{},
	}
}

// Name implements Table.
func (c *Clicks) Name() string { return "clicks" }

// NewBlock implements Table.
func (c *Clicks) NewBlock() Block { return newClickBlock(c) }

// linkTexts is a decoded LinkIdentity.
type linkTexts struct {
	attribution.LinkIdentity
	key uint64 // of the link in the unique window
}

// link decodes an encoded identity, or finds it decoded.
func (c *Clicks) link(encoded []byte) (*linkTexts, error) {
	if link := c.links[string(encoded)]; link != nil {
		return link, nil
	}
	identity, err := attribution.DecodeIdentity(encoded)
	if err != nil {
		return nil, err
	}
	if len(c.links) >= maxRememberedLinks {
		clear(c.links)
	}
	link := &linkTexts{identity, linkKey(identity.LinkID)}
	c.links[string(encoded)] = link
	return link, nil
}

func linkKey(linkID string) uint64 { return xxhash.Sum64String(linkID) }

// reasonNames are the names of a set of reasons; never nil.
func (c *Clicks) reasonNames(r attribution.Reasons) []string {
	names, known := c.reasons[r]
	if !known {
		if len(c.reasons) >= 4096 {
			clear(c.reasons)
		}
		names = r.Names()
		c.reasons[r] = names
	}
	return names
}

// interner gives equal texts one string, so that a column of few different
// values costs no allocation a row.
type interner struct {
	texts map[string]string
	limit int
}

func newInterner(limit int) *interner { return &interner{map[string]string{}, limit} }

func (n *interner) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, known := n.texts[string(b)]; known {
		return s
	}
	if len(n.texts) >= n.limit {
		clear(n.texts)
	}
	s := string(b)
	n.texts[s] = s
	return s
}

// hitOf is a valid click of a visitor as windows look at it.
func hitOf(c *attribution.Click, link uint64) Hit {
	return Hit{
		Link: link, Visitor: c.Visitor, VisitorPrev: c.VisitorPrev, AtMs: c.AtMs,
		Place: visitKey(link, xxhash.Sum64(c.Network)^xxhash.Sum64(c.UserAgent)), Number: max(1, uint32(xxhash.Sum64(c.ID))),
	}
}

// markUnique sets is_unique of the block's rows.
func (c *Clicks) markUnique(ctx context.Context, b *clickBlock) error {
	if err := c.window.Mark(ctx, b.hits); err != nil {
		return err
	}
	for i, row := range b.hitRows {
		if b.hits[i].Unique {
			b.isUnique.v[row] = 1
		}
	}
	return nil
}
