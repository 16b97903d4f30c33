package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/attribution"
)

// A tallyKey names what one cap counts over: one scope's one period.
type tallyKey struct {
	scope, id    string
	fromMs, toMs int64
}

// A tally is what counts against caps of its key.
type tally struct {
	payoutMinor, actions int64
	stored, changed      bool
}

// scopeID is who or what an action counts for in a cap's scope; empty where the
// cap cannot apply to it.
func (a *ActionRecord) scopeID(scope string) string {
	switch scope {
	case "creator":
		return a.CreatorID
	case "customer":
		return a.Customer
	case "order":
		return a.OrderID
	case "click":
		return a.ClickID
	default:
		return "*"
	}
}

// key finds the tally that an action counts in; applies is false when the action
// has nothing of the scope.
func (c *campaignFacts) key(scope, period string, a *ActionRecord) (key tallyKey, applies bool) {
	span := attribution.Cap{Period: period}.Span(attribution.Instant(a.EventTimeMs), c.zone)
	key = tallyKey{scope, a.scopeID(scope), int64(span.From), int64(span.To)}
	return key, key.id != ""
}

// tally finds what counts already where the action would count.
func (w *writing) tally(ctx context.Context, p *purse, scope, period string, a *ActionRecord) (t *tally, applies bool, err error) {
	key, applies := p.campaign.key(scope, period, a)
	if !applies {
		return nil, false, nil
	}
	if t = p.tallies[key]; t != nil {
		return t, true, nil
	}
	t = &tally{stored: true}
	err = w.Row(ctx, "ledger.tally", p.campaign.id, key.scope, key.id, key.fromMs, key.toMs).Scan(&t.payoutMinor, &t.actions)
	if errors.Is(err, sql.ErrNoRows) {
		t.stored, err = false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("ledger: reading a tally: %w", err)
	}
	p.tallies[key] = t
	return t, true, nil
}

// count brings every tally that an action belongs to from what it was to what it
// is.
func (w *writing) count(ctx context.Context, p *purse, was, now *ActionRecord) error {
	payoutBefore, actionsBefore := was.counted()
	payout, actions := now.counted()
	if payout == payoutBefore && actions == actionsBefore {
		return nil
	}
	for _, kind := range p.campaign.tallied {
		t, applies, err := w.tally(ctx, p, kind.scope, kind.period, now)
		if err != nil {
			return err
		}
		if applies {
			t.payoutMinor += payout - payoutBefore
			t.actions += actions - actionsBefore
			t.changed = true
		}
	}
	return nil
}

// keepTallies writes the tallies that changed.
func (w *writing) keepTallies(ctx context.Context, p *purse) error {
	keys := slices.SortedFunc(maps.Keys(p.tallies), func(a, b tallyKey) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.id, b.id), cmp.Compare(a.fromMs, b.fromMs))
	})
	for _, key := range keys {
		t := p.tallies[key]
		if !t.changed {
			continue
		}
		query := "ledger.insert_tally"
		if t.stored {
			query = "ledger.update_tally"
		}
		if _, err := w.Exec(ctx, query, p.campaign.id, key.scope, key.id, key.fromMs, key.toMs, t.payoutMinor, t.actions); err != nil {
			return err
		}
		t.stored, t.changed = true, false
	}
	return nil
}

// A tallyKind is a scope and a period that a campaign's caps count over.
type tallyKind struct{ scope, period string }

// shapeTallies finds which tallies the campaign needs: those of the caps of every
// version of its terms, because a late conversion is still booked under an old
// one, and the creators'. Where they are others than were kept, they are made
// anew from the actions.
func (w *writing) shapeTallies(ctx context.Context, p *purse, maxCreator bool) error {
	c := p.campaign
	if c.shaped {
		return nil
	}
	kinds := map[tallyKind]bool{}
	if maxCreator {
		kinds[tallyKind{"creator", "campaign"}] = true
	}
	for i := range c.versions {
		for _, limit := range c.versions[i].terms.Caps {
			kinds[tallyKind{limit.Scope, limit.Period}] = true
		}
	}
	c.tallied = slices.SortedFunc(maps.Keys(kinds), func(a, b tallyKind) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.period, b.period))
	})
	shape := ""
	if len(c.tallied) > 0 {
		words := []string{c.zone.String()}
		for _, kind := range c.tallied {
			words = append(words, kind.scope+"/"+kind.period)
		}
		shape = strings.Join(words, " ")
	}
	var kept string
	err := w.Row(ctx, "ledger.cap_shape", c.id).Scan(&kept)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("ledger: reading a campaign's tallies: %w", err)
	}
	if shape != kept {
		if err := w.makeTallies(ctx, p, shape); err != nil {
			return err
		}
	}
	c.shaped = true
	return nil
}

// makeTallies counts every action of the campaign.
func (w *writing) makeTallies(ctx context.Context, p *purse, shape string) error {
	id := p.campaign.id
	if _, err := w.Exec(ctx, "ledger.forget_tallies", id); err != nil {
		return err
	}
	if _, err := w.Exec(ctx, "ledger.keep_cap_shape", id, shape); err != nil {
		return err
	}
	if shape == "" {
		return nil
	}
	rows, err := w.Rows(ctx, "ledger.campaign_actions", id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scanAction(rows)
		if err != nil {
			return err
		}
		payout, actions := a.counted()
		for _, kind := range p.campaign.tallied {
			key, applies := p.campaign.key(kind.scope, kind.period, a)
			if !applies {
				continue
			}
			t := p.tallies[key]
			if t == nil {
				t = &tally{changed: true}
				p.tallies[key] = t
			}
			t.payoutMinor += payout
			t.actions += actions
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ledger: counting a campaign's actions: %w", err)
	}
	return nil
}
