package reclassify

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
)

// The bounds of a step.
const (
	maxStepHits     = 200_000 // about: a step ends with the quarter of an hour that has more
	outcomesAtOnce  = 32      // of one statement that changes rows
	spanLookahead   = 10_000  // quarters of an hour with hits
	spanMs          = 15 * 60 * 1000
	mutationTimeout = 30 * time.Minute
)

// sumTables are the sums of clicks, and what their rows are of.
var sumTables = [...]struct{ Table, Keys string }{
	{"clicks_15m", "advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, currency"},
	{"campaign_clicks_15m", "advertiser_id, campaign_id, platform, currency"},
}

// next does a run's next step, or what is left of the one under way; done is true
// when there is none.
func (s *Service) next(ctx context.Context, r *run) (done bool, err error) {
	rules := s.o.Rules()
	switch {
	case r.stepFound != nil: // planned: it is finished whatever rules are in force
		return false, s.finish(ctx, r)
	case r.positionMs >= r.toMs+windowMs:
		return true, nil
	case rules.Version() != r.rulesVersion:
		return false, &stoppedError{"other verdict rules came into force: run it again with those"}
	}
	if !r.dryRun { // hits that the replica which is read does not have yet would be passed over
		if err := schema.SyncReplicas(ctx, s.o.ClickHouse, "clicks", "campaign_clicks_15m"); err != nil {
			return false, err
		}
	}
	if r.stepToMs == 0 {
		of, err := s.nextSpan(ctx, r)
		if err != nil {
			return false, err
		}
		if err := s.exec(ctx, "reclassify.begin_step", r.id, of.fromMs, of.toMs, int64(r.step)); err != nil {
			return false, err
		}
		r.step, r.positionMs, r.stepToMs = r.step+1, of.fromMs, of.toMs
	}
	if err := s.plan(ctx, r, rules); err != nil {
		return false, err
	}
	s.reached("planned")
	return false, s.finish(ctx, r)
}

// nextSpan cuts the next step off what is left of a run: hits of the range first,
// then those behind it whose uniqueness may change. A step lies within a month, as
// ClickHouse's partitions do.
func (s *Service) nextSpan(ctx context.Context, r *run) (span, error) {
	end := r.toMs
	if r.positionMs >= r.toMs {
		end = r.toMs + windowMs
	}
	rows, err := s.o.ClickHouse.Query(ctx, schema.ClickHouseQuery("reclassify_spans"),
		clickhouse.Named("from_ms", r.positionMs-r.positionMs%spanMs), clickhouse.Named("to_ms", end), clickhouse.Named("advertiser", r.advertiserID))
	if err != nil {
		return span{}, fmt.Errorf("count the hits to judge: %w", err)
	}
	defer rows.Close()
	of, hits, read := span{r.positionMs, end}, int64(0), 0
	for rows.Next() {
		var fromMs, n int64
		if err := rows.Scan(&fromMs, &n); err != nil {
			return span{}, fmt.Errorf("count the hits to judge: %w", err)
		}
		if read++; read == 1 {
			of.fromMs = max(of.fromMs, fromMs)
		}
		if read == spanLookahead {
			of.toMs = min(end, fromMs+spanMs)
		}
		if hits += n; hits < maxStepHits {
			continue
		}
		of.toMs = min(end, fromMs+spanMs)
		if parts := (n + maxStepHits - 1) / maxStepHits; hits == n && parts > 1 { // the quarter alone is too many
			of.toMs = min(of.toMs, of.fromMs+spanMs/parts)
		}
		break
	}
	if err := rows.Err(); err != nil {
		return span{}, fmt.Errorf("count the hits to judge: %w", err)
	}
	if read == 0 {
		of.fromMs = end // nothing is left
	}
	return of.withinMonth(), nil
}

func (of span) withinMonth() span {
	from := time.UnixMilli(of.fromMs).UTC()
	next := time.Date(from.Year(), from.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	of.toMs = min(of.toMs, next.UnixMilli())
	return of
}

// plan finds what a step changes, and keeps that it did. Whatever an earlier try left
// is not used: nothing follows from it yet.
func (s *Service) plan(ctx context.Context, r *run, rules Rules) error {
	if err := s.dropChanges(ctx, r); err != nil {
		return err
	}
	p := &planner{conn: s.o.ClickHouse, run: r, rules: rules, reasons: s.reasons, paying: map[string]bool{}, found: newTally(), outcomes: map[string]uint16{}}
	campaigns, through, err := s.o.Money.ClicksPaid(ctx)
	if err != nil {
		return err
	}
	for _, id := range campaigns {
		p.paying[id] = true
	}
	p.paidToMs = int64(through)
	if of := (span{r.positionMs, r.stepToMs}); of.fromMs < of.toMs {
		if err := p.plan(ctx, of); err != nil {
			return err
		}
	}
	if !r.dryRun && len(p.outcomes) > 0 {
		if err := schema.SyncReplicas(ctx, s.o.ClickHouse, "click_changes"); err != nil {
			return err
		}
	}
	p.found.Outcomes = p.outcomes
	text, err := p.found.text()
	if err != nil {
		return err
	}
	s.reached("changes kept")
	if err := s.exec(ctx, "reclassify.planned", r.id, text, int64(r.step)); err != nil {
		return err
	}
	r.stepFound = p.found
	return nil
}

// finish does what a planned step says. Every part may be repeated.
func (s *Service) finish(ctx context.Context, r *run) error {
	if len(r.stepFound.Outcomes) > 0 {
		for _, part := range []struct {
			name string
			do   func(context.Context, *run) error
		}{{"verdicts told", s.tellLedger}, {"sums", s.correctSums}, {"rows", s.changeRows}} {
			if err := part.do(ctx, r); err != nil {
				return err
			}
			s.reached(part.name)
		}
	}
	found := newTally()
	found.add(r.found)
	found.add(r.stepFound)
	text, err := found.text()
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "reclassify.end_step", r.id, r.stepToMs, text, int64(r.step)); err != nil {
		return err
	}
	r.positionMs, r.found, r.stepToMs, r.stepFound = r.stepToMs, found, 0, nil
	s.reached("ended")
	return nil
}

// tellLedger gives clicks that can earn now, or no longer, their new verdict for
// decisions to come.
func (s *Service) tellLedger(ctx context.Context, r *run) error {
	rows, err := s.o.ClickHouse.Query(ctx, schema.ClickHouseQuery("reclassify_flipped"), clickhouse.Named("step", r.step))
	if err != nil {
		return fmt.Errorf("read the verdicts that change: %w", err)
	}
	defer rows.Close()
	verdicts := map[string]attribution.Verdict{}
	for _, v := range attribution.Verdicts() {
		verdicts[v.String()] = v
	}
	var overrides []ledger.VerdictOverride
	for rows.Next() {
		o := ledger.VerdictOverride{RulesVersion: r.rulesVersion, RunID: r.id}
		var atMs int64
		var name string
		if err := rows.Scan(&o.ClickID, &atMs, &name); err != nil {
			return fmt.Errorf("read the verdicts that change: %w", err)
		}
		o.ClickTime, o.Verdict = attribution.Instant(atMs), verdicts[name]
		overrides = append(overrides, o)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the verdicts that change: %w", err)
	}
	err = s.o.Money.OverrideVerdicts(ctx, overrides)
	if problem, refused := attribution.AsProblem(err); refused {
		return &stoppedError{problem.Error()}
	}
	return err
}

// correctSums adds a step's differences to the sums that do not have them. An insert
// whose answer was lost is not added twice: its token is known, and where that is
// forgotten, the step's number is in the sums, those of every replica.
func (s *Service) correctSums(ctx context.Context, r *run) error {
	for _, sums := range sumTables {
		if err := schema.SyncReplicas(ctx, s.o.ClickHouse, sums.Table); err != nil {
			return err
		}
		question, err := schema.ClickHouseStatement("reclassify_summed", sums)
		if err != nil {
			return err
		}
		var last uint64
		if err := s.o.ClickHouse.QueryRow(ctx, question, clickhouse.Named("from_ms", r.positionMs), clickhouse.Named("step", r.step)).Scan(&last); err != nil {
			return fmt.Errorf("ask whether %s is corrected: %w", sums.Table, err)
		}
		if last >= r.step {
			continue
		}
		statement, err := schema.ClickHouseStatement("reclassify_sums", sums)
		if err != nil {
			return err
		}
		settings := schema.InsertSettings(fmt.Sprintf("reclassify %s %d %s", r.id, r.step, sums.Table))
		settings["max_threads"], settings["min_insert_block_size_rows"], settings["min_insert_block_size_bytes"], settings["max_block_size"] = 1, maxStepHits*4, 0, maxStepHits*4 // one block, one part
		if err := s.o.ClickHouse.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), statement, clickhouse.Named("step", r.step)); err != nil {
			return fmt.Errorf("correct %s: %w", sums.Table, err)
		}
		s.reached(sums.Table)
	}
	return nil
}

// changeRows gives the step's hits what they have now, and waits until they have it.
func (s *Service) changeRows(ctx context.Context, r *run) error {
	outcomes := outcomesOf(r.stepFound.Outcomes)
	ctx, cancel := context.WithTimeout(ctx, mutationTimeout)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	for len(outcomes) > 0 {
		some := outcomes[:min(outcomesAtOnce, len(outcomes))]
		outcomes = outcomes[len(some):]
		statement, err := schema.ClickHouseStatement("reclassify_rows", map[string]any{
			"Outcomes": some, "RulesVersion": r.rulesVersion, "FromMs": r.positionMs, "ToMs": r.stepToMs, "Step": r.step,
		})
		if err != nil {
			return err
		}
		if err := s.o.ClickHouse.Exec(ctx, statement); err != nil {
			return fmt.Errorf("change rows of clicks: %w", err)
		}
	}
	return nil
}

// dropChanges forgets what a step changes. There is one run at a time, and one step:
// all that lies there is its own, or was left behind.
func (s *Service) dropChanges(ctx context.Context, r *run) error {
	if r.dryRun {
		return nil
	}
	if err := s.o.ClickHouse.Exec(ctx, "TRUNCATE TABLE click_changes"); err != nil {
		return fmt.Errorf("drop what a step changed: %w", err)
	}
	return nil
}
