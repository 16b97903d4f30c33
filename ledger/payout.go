package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"tributary/attribution"
	"tributary/schema/database"
)

// The states of a payout.
const (
	PayoutOpen = "open"
	PayoutPaid = "paid"
)

const (
	verbPutInPayout = "put_in_payout"
	verbPaid        = "paid"

	// OutboxPayout is the kind of messages about payouts; their payload is a
	// PayoutEvent.
	OutboxPayout = "payout"

	maxReference = 200
)

// A PayoutRequest asks to pay what an advertiser owes.
type PayoutRequest struct {
	AdvertiserID string               `json:"advertiser_id" doc:"A key of an advertiser may leave it out"`
	AsOf         *attribution.Instant `json:"as_of,omitempty" doc:"What became payable by then; now by default"`
}

// A CreatorPayout is what one creator is paid at once in one currency: the sum of its
// actions, each of which is in no other payout.
type CreatorPayout struct {
	ID           string               `json:"id"`
	AdvertiserID string               `json:"advertiser_id"`
	CreatorID    string               `json:"creator_id"`
	Currency     string               `json:"currency"`
	Amount       *string              `json:"amount" doc:"Advertisers do not see it where an agency has a margin"`
	Actions      int64                `json:"actions" doc:"How many it pays"`
	State        string               `json:"state" doc:"open or paid"`
	Reference    *string              `json:"reference" doc:"The bank's"`
	AsOf         *attribution.Instant `json:"as_of"`
	CreatedAt    *attribution.Instant `json:"created_at"`
	PaidAt       *attribution.Instant `json:"paid_at"`

	// CreatorName and PayoutDetails are for the bank's file; details only for an
	// admin.
	CreatorName   string          `json:"-"`
	PayoutDetails json.RawMessage `json:"-"`

	number, amountMinor int64
}

// A PayoutEvent tells of a payout that was made or paid.
type PayoutEvent struct {
	Verb         string `json:"verb"` // made or paid
	AtMs         int64  `json:"at_ms"`
	ID           string `json:"id"`
	AdvertiserID string `json:"advertiser_id"`
	CreatorID    string `json:"creator_id"`
	Currency     string `json:"currency"`
	AmountMinor  int64  `json:"amount_minor"`
	Actions      int64  `json:"actions"`
	Reference    string `json:"reference"`
}

// CreatePayouts puts everything that is payable into payouts, one for each
// creator and currency. What sums to nothing or less, or to less than the
// advertiser's smallest payout, stays payable and carries over.
func (l *Ledger) CreatePayouts(ctx context.Context, scope Scope, asked PayoutRequest) ([]CreatorPayout, error) {
	if scope.advertiser() && asked.AdvertiserID == "" {
		asked.AdvertiserID = scope.AdvertiserID
	}
	if !scope.manages(asked.AdvertiserID) {
		return nil, notFound("advertiser", asked.AdvertiserID)
	}
	var payouts []CreatorPayout
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		payouts = []CreatorPayout{}
		asOf := w.at
		if asked.AsOf != nil {
			if asOf = *asked.AsOf; asOf > w.at {
				return invalid("body.as_of", "must not be in the future")
			}
		}
		groups, err := w.payableGroups(ctx, asked.AdvertiserID, asOf)
		if err != nil {
			return err
		}
		for _, g := range groups {
			id, err := w.makePayout(ctx, g, asOf)
			if err != nil {
				return err
			}
			made, err := l.Payout(ctx, scope, id)
			if err != nil {
				return err
			}
			payouts = append(payouts, made)
		}
		return nil
	})
	return payouts, err
}

// A payableGroup is what one creator may be paid in one currency.
type payableGroup struct {
	advertiserID, creatorID, currency string
	amountMinor, actions              int64
}

// leastPayouts are an advertiser's smallest payouts, by currency, in minor units.
func leastPayouts(ctx context.Context, db database.Reader, advertiserID string) (map[string]int64, error) {
	var text string
	err := db.Row(ctx, "ledger.advertiser_fields", advertiserID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("advertiser", advertiserID)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: reading an advertiser: %w", err)
	}
	var advertiser struct {
		Currency  string              `json:"currency"`
		MinPayout attribution.Decimal `json:"min_payout"`
	}
	if err := decode(text, &advertiser); err != nil {
		return nil, err
	}
	least := map[string]int64{}
	if advertiser.MinPayout != "" {
		if least[advertiser.Currency], err = attribution.ParseMoney(advertiser.MinPayout, advertiser.Currency); err != nil {
			return nil, fmt.Errorf("ledger: the smallest payout of %s: %w", advertiserID, err)
		}
	}
	return least, nil
}

func (w *writing) payableGroups(ctx context.Context, advertiserID string, asOf attribution.Instant) ([]payableGroup, error) {
	least, err := leastPayouts(ctx, w, advertiserID)
	if err != nil {
		return nil, err
	}
	var groups []payableGroup
	err = w.each(ctx, "ledger.payable_groups", func(row scanner) error {
		g := payableGroup{advertiserID: advertiserID}
		err := row.Scan(&g.creatorID, &g.currency, &g.amountMinor, &g.actions)
		if g.amountMinor > 0 && g.amountMinor >= least[g.currency] {
			groups = append(groups, g)
		}
		return err
	}, advertiserID, int64(asOf))
	return groups, err
}

// makePayout makes the payout of a group and puts its actions into it.
func (w *writing) makePayout(ctx context.Context, g payableGroup, asOf attribution.Instant) (id string, err error) {
	if id, err = w.l.newID(attribution.PrefixPayout, w.at); err != nil {
		return "", err
	}
	_, err = w.Exec(ctx, "ledger.insert_payout", w.next(), id, g.advertiserID, g.creatorID, g.currency, g.amountMinor, g.actions, int64(asOf), int64(w.at))
	if err != nil {
		return "", err
	}
	actions, err := w.allActions(ctx, "ledger.payable_actions", g.advertiserID, g.creatorID, g.currency, int64(asOf))
	if err != nil {
		return "", err
	}
	for _, was := range actions {
		now := *was
		now.PayoutID = id
		if err := w.amend(ctx, was, &now, cause{verb: verbPutInPayout, reason: id}); err != nil {
			return "", err
		}
	}
	return id, w.tell(ctx, OutboxPayout, PayoutEvent{
		Verb: verbMade, AtMs: int64(w.at), ID: id, AdvertiserID: g.advertiserID, CreatorID: g.creatorID, Currency: g.currency,
		AmountMinor: g.amountMinor, Actions: g.actions,
	})
}

func (w *writing) allActions(ctx context.Context, query string, args ...any) (actions []*ActionRecord, err error) {
	err = w.each(ctx, query, func(row scanner) error {
		a, err := scanAction(row)
		actions = append(actions, a)
		return err
	}, args...)
	return actions, err
}

// MarkPaid says that a payout was paid, and with it all its actions. Saying so
// again with the same reference changes nothing.
func (l *Ledger) MarkPaid(ctx context.Context, scope Scope, id, reference string) (CreatorPayout, error) {
	reference = strings.TrimSpace(reference)
	if len(reference) > maxReference {
		return CreatorPayout{}, invalid("body.reference", "must be at most %d bytes", maxReference)
	}
	if strings.ContainsFunc(reference, unicode.IsControl) {
		return CreatorPayout{}, invalid("body.reference", "must not have control characters")
	}
	var paid CreatorPayout
	err := l.write(ctx, scope, nil, func(ctx context.Context, w *writing) error {
		p, err := l.Payout(ctx, scope, id)
		switch {
		case err != nil:
			return err
		case !scope.manages(p.AdvertiserID):
			return forbidden(scope, "mark payouts as paid")
		case p.State == PayoutPaid && (p.Reference == nil && reference == "" || p.Reference != nil && *p.Reference == reference):
			paid = p
			return nil
		case p.State == PayoutPaid:
			return conflict("the payout is paid already, under the reference %q", *textOf(p.Reference))
		}
		if err := w.pay(ctx, &p, reference); err != nil {
			return err
		}
		paid, err = l.Payout(ctx, scope, id)
		return err
	})
	return paid, err
}

func textOf(text *string) *string {
	if text == nil {
		return new("")
	}
	return text
}

func (w *writing) pay(ctx context.Context, p *CreatorPayout, reference string) error {
	if _, err := w.Exec(ctx, "ledger.pay_payout", p.ID, reference, int64(w.at)); err != nil {
		return err
	}
	actions, err := w.allActions(ctx, "ledger.payout_actions", p.ID)
	if err != nil {
		return err
	}
	for _, was := range actions {
		now := *was
		now.State, now.PaidAtMs = Paid, int64(w.at)
		if err := w.amend(ctx, was, &now, cause{verb: verbPaid, reason: p.ID, note: reference}); err != nil {
			return err
		}
	}
	return w.tell(ctx, OutboxPayout, PayoutEvent{
		Verb: verbPaid, AtMs: int64(w.at), ID: p.ID, AdvertiserID: p.AdvertiserID, CreatorID: p.CreatorID, Currency: p.Currency,
		AmountMinor: p.amountMinor, Actions: p.Actions, Reference: reference,
	})
}

// Payout finds a payout in scope.
func (l *Ledger) Payout(ctx context.Context, scope Scope, id string) (CreatorPayout, error) {
	p, err := scanPayout(scope)(l.db.Row(ctx, "ledger.payout", id))
	if errors.Is(err, sql.ErrNoRows) || err == nil && !scope.owns(p.AdvertiserID, p.CreatorID) {
		return CreatorPayout{}, notFound("payout", id)
	}
	return p, err
}

// A PayoutFilter narrows a list of payouts: every field that is given.
type PayoutFilter struct {
	AdvertiserID string
	CreatorID    string
	Currency     string
	State        string
}

// Payouts lists payouts in scope, newest first.
func (l *Ledger) Payouts(ctx context.Context, scope Scope, f PayoutFilter, p Page) (List[CreatorPayout], error) {
	given := database.Given{"advertiser_id": f.AdvertiserID, "creator_id": f.CreatorID, "currency": f.Currency, "state": f.State}
	if !scope.limit(given) {
		return List[CreatorPayout]{Items: []CreatorPayout{}}, nil
	}
	return page(ctx, l.db, "ledger.payout_list", given, p, false, scanPayout(scope), func(p CreatorPayout) int64 { return p.number })
}

// scanPayout reads payouts as a scope sees them.
func scanPayout(scope Scope) func(scanner) (CreatorPayout, error) {
	return func(row scanner) (CreatorPayout, error) {
		var p CreatorPayout
		var reference, creator string
		var asOf, created, paid int64
		var agency bool
		err := row.Scan(&p.number, &p.ID, &p.AdvertiserID, &p.CreatorID, &p.Currency, &p.amountMinor, &p.Actions, &p.State, &reference,
			&asOf, &created, &paid, &creator, &agency)
		if err != nil {
			return p, fmt.Errorf("ledger: reading a payout: %w", err)
		}
		p.Reference, p.AsOf, p.CreatedAt, p.PaidAt = textOrNil(reference), instantOrNil(asOf), instantOrNil(created), instantOrNil(paid)
		if !scope.hidesPayout(agency) {
			p.Amount = new(attribution.FormatMoney(p.amountMinor, p.Currency))
		}
		var fields struct {
			Name          string          `json:"name"`
			PayoutDetails json.RawMessage `json:"payout_details"`
		}
		if err := decode(creator, &fields); err != nil {
			return p, err
		}
		p.CreatorName = fields.Name
		if scope.admin() {
			p.PayoutDetails = fields.PayoutDetails
		}
		return p, nil
	}
}
