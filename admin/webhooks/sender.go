package webhooks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"tributary/background"
	"tributary/schema/database"
)

// The bounds of sending.
const (
	maxUnderWay  = 64 // requests of this process
	perWebhook   = 4  // of them to one webhook; 1 while it fails
	pollInterval = time.Second
	tidyInterval = time.Minute
	stopGrace    = 3 * time.Second // for requests that are under way at the stop
)

// A sender is the loop that sends: it alone claims deliveries and writes what came
// of them, in one transaction for all, while each request has a goroutine.
type sender struct {
	*Service
	results  chan result
	underWay map[string]int // requests, by webhook
	total    int
	kept     []result // not written yet
	tidied   time.Time
}

// Run sends what is due until ctx ends. The same failure is logged once.
func (s *Service) Run(ctx context.Context) {
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	loop := &sender{Service: s, results: make(chan result, maxUnderWay), underWay: map[string]int{}}
	failed := func(err error) { s.o.Log.Warn("webhooks wait", "error", err) }
	background.Repeat(ctx, background.Pace{Every: pollInterval}, failed, func(ctx context.Context) (more bool, err error) {
		if err = loop.pass(ctx, attempts); err == nil { // what comes after a failure is written in the next pass
			loop.wait(ctx)
		}
		return true, err
	})
	loop.stop(cut)
}

// wait returns when there may be something to do.
func (l *sender) wait(ctx context.Context) {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-timer.C:
	case r := <-l.results:
		l.came(r)
	}
}

// came notes a result.
func (l *sender) came(r result) {
	l.kept = append(l.kept, r)
	l.total--
	if l.underWay[r.webhookID]--; l.underWay[r.webhookID] == 0 {
		delete(l.underWay, r.webhookID)
	}
}

// pass writes what came of requests and begins those that are due.
func (l *sender) pass(ctx, attempts context.Context) error {
	for drained := false; !drained; {
		select {
		case r := <-l.results:
			l.came(r)
		default:
			drained = true
		}
	}
	now := l.o.Now()
	if now.Sub(l.tidied) >= tidyInterval || now.Before(l.tidied) {
		if err := l.tidy(ctx); err != nil {
			return err
		}
		l.tidied = now
	}
	due, err := l.due(ctx, now)
	if err != nil || len(l.kept) == 0 && len(due) == 0 {
		return err
	}
	var claims []claim
	var hooks map[string]*Webhook
	err = l.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := l.finish(ctx, tx, l.kept); err != nil {
			return err
		}
		claims, hooks, err = l.claimDue(ctx, tx, due, now)
		return err
	})
	if err != nil {
		return err
	}
	l.kept = l.kept[:0]
	for _, c := range claims {
		l.underWay[c.webhookID]++
		l.total++
		go func() { l.results <- l.attempt(attempts, hooks[c.webhookID], c) }()
	}
	return nil
}

// A dueWebhook has something to be sent.
type dueWebhook struct {
	id    string
	fails bool
}

// due are the webhooks that have something to be sent, in a random order: none is
// always last.
func (l *sender) due(ctx context.Context, now time.Time) (due []dueWebhook, err error) {
	if l.total >= maxUnderWay {
		return nil, nil
	}
	rows, err := l.o.DB.Rows(ctx, "webhook.due", now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w dueWebhook
		var failures int64
		if err := rows.Scan(&w.id, &failures); err != nil {
			return nil, fmt.Errorf("webhooks: looking for what is due: %w", err)
		}
		w.fails = failures > 0
		due = append(due, w)
	}
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	return due, rows.Err()
}

// claimDue claims what there is room for.
func (l *sender) claimDue(ctx context.Context, tx *database.Tx, due []dueWebhook, now time.Time) (claims []claim, hooks map[string]*Webhook, err error) {
	hooks = map[string]*Webhook{}
	for _, w := range due {
		limit := perWebhook
		if w.fails {
			limit = 1
		}
		limit = min(limit-l.underWay[w.id], maxUnderWay-l.total-len(claims))
		if limit <= 0 {
			continue
		}
		hook, err := scanWebhook(tx.Row(ctx, "webhook.by_id", w.id))
		if err != nil {
			return nil, nil, err
		}
		if hook.archived || !hook.enabled || hook.notBeforeMs > now.UnixMilli() { // it has just failed
			continue
		}
		taken, err := l.claim(ctx, tx, w.id, now, limit)
		if err != nil {
			return nil, nil, err
		}
		claims, hooks[w.id] = append(claims, taken...), &hook
	}
	return claims, hooks, nil
}

// stop gives requests under way a moment, cuts them short, and writes what came
// of them, so that nobody waits for leases to end.
func (l *sender) stop(cut context.CancelFunc) {
	timer := time.AfterFunc(stopGrace, cut)
	defer timer.Stop()
	for l.total > 0 {
		l.came(<-l.results)
	}
	if len(l.kept) == 0 {
		return
	}
	err := l.o.DB.Write(context.Background(), func(ctx context.Context, tx *database.Tx) error { return l.finish(ctx, tx, l.kept) })
	if err != nil {
		l.o.Log.Warn("what came of the last webhooks was not written: they are sent again", "error", err)
	}
}
