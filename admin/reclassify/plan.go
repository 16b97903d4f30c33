package reclassify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/schema"
)

const valid = "valid"

// sortBytes is what ClickHouse sorts in memory; more goes by way of its disk.
const sortBytes = 96 << 20

// A hit is a row of the table clicks, as far as it decides.
type hit struct {
	node                                                                            string
	seq                                                                             uint64
	clickID                                                                         string
	atMs                                                                            int64
	advertiserID, campaignID, creatorID, taskID, linkID, postID, platform, currency string
	mismatch                                                                        uint8
	verdict                                                                         string
	reasons                                                                         []string
	rulesVersion                                                                    uint32
	isUnique                                                                        uint8
	judgedFirst                                                                     string // the verdict before any reclassification, empty: this is the first
	uniqueFirst                                                                     uint8
	unpayable                                                                       string
	asn                                                                             uint32
	visitor                                                                         uint64
	userAgent                                                                       string
}

func (h *hit) firstValid() bool {
	if h.judgedFirst != "" {
		return h.judgedFirst == valid
	}
	return h.verdict == valid
}

func (h *hit) firstUnique() bool {
	if h.judgedFirst != "" {
		return h.uniqueFirst != 0
	}
	return h.isUnique != 0
}

// An outcome is what becomes of a hit.
type outcome struct {
	verdict string
	reasons []string
	unique  bool
	changes bool
}

// A span is the hits of a step: [fromMs, toMs).
type span struct{ fromMs, toMs int64 }

// A planner finds the hits of a step that change.
type planner struct {
	conn     driver.Conn
	run      *run
	rules    Rules
	reasons  map[string]attribution.Reasons
	paying   map[string]bool // campaigns that pay per click
	paidToMs int64           // hours before it are booked

	window   uniqueWindow
	found    *tally
	outcomes map[string]uint16 // number by new reasons and uniqueness
	changes  driver.Batch      // nil in a dry run
}

const insertChanges = `INSERT INTO click_changes (step, node, seq, click_id, time, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id,
	platform, currency, mismatch, old_verdict, old_unique, new_verdict, new_unique, outcome)`

// plan reads the hits of a span, counts what becomes of them and, unless the run is a
// dry one, puts those that change into click_changes, all at once.
func (p *planner) plan(ctx context.Context, of span) (err error) {
	if !p.run.dryRun {
		ctx := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
			// One block, one part: whole or not there.
			"min_insert_block_size_rows": maxStepHits * 4, "min_insert_block_size_bytes": 0, "max_insert_block_size": maxStepHits * 4, "max_insert_threads": 1,
		}))
		if p.changes, err = p.conn.PrepareBatch(ctx, insertChanges); err != nil {
			return fmt.Errorf("plan a step of the reclassification: %w", err)
		}
		defer func() { _ = p.changes.Close() }()
	}
	sorting := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "max_bytes_before_external_sort": sortBytes}))
	rows, err := p.conn.Query(sorting, schema.ClickHouseQuery("reclassify_hits"),
		clickhouse.Named("context_ms", of.fromMs-windowMs), clickhouse.Named("from_ms", of.fromMs), clickhouse.Named("to_ms", of.toMs),
		clickhouse.Named("advertiser", p.run.advertiserID))
	if err != nil {
		return fmt.Errorf("read the hits to judge: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h hit
		if err := rows.Scan(&h.node, &h.seq, &h.clickID, &h.atMs, &h.advertiserID, &h.campaignID, &h.creatorID, &h.taskID, &h.linkID, &h.postID,
			&h.platform, &h.currency, &h.mismatch, &h.verdict, &h.reasons, &h.rulesVersion, &h.isUnique, &h.judgedFirst, &h.uniqueFirst,
			&h.unpayable, &h.asn, &h.visitor, &h.userAgent); err != nil {
			return fmt.Errorf("read the hits to judge: %w", err)
		}
		now := p.decide(&h)
		if h.atMs < of.fromMs {
			continue // only there to decide what is unique
		}
		if err := p.take(&h, &now); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the hits to judge: %w", err)
	}
	if p.run.dryRun || len(p.outcomes) == 0 {
		return nil
	}
	if err := p.changes.Send(); err != nil {
		return fmt.Errorf("plan a step of the reclassification: %w", err)
	}
	return nil
}

// decide says what a hit is now. Hits come visitor by visitor, in the order of time.
func (p *planner) decide(h *hit) outcome {
	now := outcome{verdict: h.verdict, reasons: h.reasons}
	if p.inRange(h) {
		if reasons, ok := p.judge(h); ok {
			now.verdict, now.reasons = reasons.Verdict().String(), reasons.Names()
		} else if h.atMs >= p.run.fromMs {
			p.leaveAlone(h)
		}
	}
	now.unique = p.window.unique(h, now.verdict == valid)
	now.changes = now.verdict != h.verdict || now.unique != (h.isUnique != 0) || !slices.Equal(now.reasons, h.reasons)
	return now
}

func (p *planner) inRange(h *hit) bool { return p.run.fromMs <= h.atMs && h.atMs < p.run.toMs }

func (p *planner) leaveAlone(h *hit) {
	if h.atMs >= p.run.positionMs {
		p.found.LeftAlone++
	}
}

// take counts a hit, and keeps it when it changes.
func (p *planner) take(h *hit, now *outcome) error {
	switch {
	case p.inRange(h):
		p.found.count(h, now)
	case now.changes:
		p.found.Followers++
	}
	if !now.changes {
		return nil
	}
	if p.paying[h.campaignID] && h.atMs < p.paidToMs && h.unpayable == "" && h.taskID != "" {
		p.found.pay(h, now)
	}
	if p.run.dryRun {
		return nil
	}
	key := outcomeKey(now)
	number, known := p.outcomes[key]
	if !known {
		number = uint16(len(p.outcomes))
		p.outcomes[key] = number
	}
	err := p.changes.Append(p.run.step, h.node, h.seq, h.clickID, attribution.Instant(h.atMs).Time(), h.advertiserID, h.campaignID, h.creatorID, h.taskID,
		h.linkID, h.postID, h.platform, h.currency, h.mismatch, h.verdict, h.isUnique, now.verdict, uint8(one(now.unique)), number)
	if err != nil {
		return fmt.Errorf("plan a step of the reclassification: %w", err)
	}
	return nil
}

// outcomeKey names the reasons and uniqueness a hit has now: the verdict and all
// else follow from them. There are at most as many as sets of reasons, times two.
func outcomeKey(now *outcome) string {
	return fmt.Sprint(one(now.unique), " ", now.verdict, " ", strings.Join(now.reasons, " "))
}

// An outcomeOf is an outcome as the statement that changes rows has it.
type outcomeOf struct {
	Number  uint16
	Unique  int64
	Verdict string
	Reasons string // as SQL has an array
}

// outcomesOf reads the outcomes of a step from their keys.
func outcomesOf(keys map[string]uint16) []outcomeOf {
	var all []outcomeOf
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		parts := strings.Fields(key)
		all = append(all, outcomeOf{keys[key], one(parts[0] == "1"), parts[1], quoted(parts[2:])})
	}
	return all
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "', '") + "']"
}

func cutVerdicts(key string) (from, to string) {
	from, to, _ = strings.Cut(key, " ")
	return from, to
}
