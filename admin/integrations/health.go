package integrations

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
)

// A Count is how many reports had an outcome.
type Count struct {
	Code    string `json:"code"`
	Reports int64  `json:"reports"`
}

// An Integration is how one way in is doing.
type Integration struct {
	Way           string               `json:"way" doc:"pixel, tag, server, postback or csv"`
	Status        string               `json:"status" doc:"unused, ok, idle (nothing for a day), stopped (nothing for a day where there was), refusing (reports are in quarantine) or unpaid (reports cannot be credited as they are)"`
	Message       *string              `json:"message" doc:"What is wrong and what to do; null when nothing is"`
	FirstSeenAt   *attribution.Instant `json:"first_seen_at"`
	LastSeenAt    *attribution.Instant `json:"last_seen_at" doc:"Of the last conversion that was taken"`
	LastRefusedAt *attribution.Instant `json:"last_refused_at"`
	Accepted      int64                `json:"accepted_24h" doc:"Taken and attributed"`
	Unattributed  []Count              `json:"unattributed_24h" nullable:"false" doc:"Taken, and nobody was credited, by reason"`
	Quarantined   []Count              `json:"quarantined_24h" nullable:"false" doc:"Not taken, by code"`
}

type (
	input struct {
		AdvertiserID string `query:"advertiser_id" doc:"Required of an admin; an advertiser sees its own"`
	}
	integrations struct {
		AdvertiserID string        `json:"advertiser_id"`
		Items        []Integration `json:"items" nullable:"false"`
	}
	output struct{ Body integrations }
)

// Routes are the operations on integrations.
func (s *Service) Routes(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "list-integrations", Method: http.MethodGet, Path: "/v1/integrations", Tag: "Integrations", Summary: "How each way in is doing",
		Description: "Hours are counted whole: the last day is the present hour and the 24 before it.",
		Roles:       []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
	}, func(ctx context.Context, in *input) (*output, error) {
		scope := admin.ScopeOf(ctx)
		if scope.Role == catalog.RoleAdvertiser && in.AdvertiserID == "" {
			in.AdvertiserID = scope.AdvertiserID
		}
		if in.AdvertiserID == "" {
			var c attribution.Checker
			c.Add("query.advertiser_id", "is required")
			return nil, c.Err()
		}
		items, err := s.Health(ctx, scope, in.AdvertiserID)
		if err != nil {
			return nil, err
		}
		return &output{integrations{in.AdvertiserID, items}}, nil
	})
}

// Health says how each way in of an advertiser in scope is doing.
func (s *Service) Health(ctx context.Context, scope catalog.Scope, advertiserID string) ([]Integration, error) {
	if _, err := s.o.Things.Advertiser(ctx, scope, advertiserID); err != nil {
		return nil, err
	}
	now := s.o.Now()
	seen, err := s.sightings(ctx, advertiserID)
	if err != nil {
		return nil, err
	}
	since := now.Add(-day).UnixMilli()
	items := make([]Integration, len(ways))
	index := map[string]*Integration{}
	for i, w := range ways {
		saw := seen[w.source]
		items[i] = Integration{Way: w.name, Unattributed: []Count{}, Quarantined: []Count{}, FirstSeenAt: attribution.InstantOrNil(saw.firstMs),
			LastSeenAt: attribution.InstantOrNil(saw.acceptedMs), LastRefusedAt: attribution.InstantOrNil(saw.refusedMs)}
		index[w.source] = &items[i]
	}
	if err := s.counts(ctx, advertiserID, since-since%hourMs, index); err != nil {
		return nil, err
	}
	for i, w := range ways {
		usual := int64(0)
		if last := seen[w.source].acceptedMs; last != 0 {
			if err := s.o.DB.Row(ctx, "integration.usual", advertiserID, w.source, last-int64(week/time.Millisecond), last).Scan(&usual); err != nil {
				return nil, fmt.Errorf("integrations: counting what was usual: %w", err)
			}
		}
		items[i].judge(w.reports, now, usual)
	}
	return items, nil
}

func (s *Service) sightings(ctx context.Context, advertiserID string) (map[string]sighting, error) {
	rows, err := s.o.DB.Rows(ctx, "integration.ways", advertiserID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	seen := map[string]sighting{}
	for rows.Next() {
		var source string
		var saw sighting
		if err := rows.Scan(&source, &saw.firstMs, &saw.acceptedMs, &saw.refusedMs); err != nil {
			return nil, fmt.Errorf("integrations: reading when reports came: %w", err)
		}
		seen[source] = saw
	}
	return seen, rows.Err()
}

func (s *Service) counts(ctx context.Context, advertiserID string, sinceMs int64, into map[string]*Integration) error {
	rows, err := s.o.DB.Rows(ctx, "integration.counts", advertiserID, sinceMs)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var source, outcome string
		var c Count
		if err := rows.Scan(&source, &outcome, &c.Code, &c.Reports); err != nil {
			return fmt.Errorf("integrations: reading what reports became: %w", err)
		}
		item := into[source]
		switch {
		case item == nil: // of a rehearsal's samples
		case outcome == accepted:
			item.Accepted += c.Reports
		case outcome == unattributed:
			item.Unattributed = append(item.Unattributed, c)
		default:
			item.Quarantined = append(item.Quarantined, c)
		}
	}
	return rows.Err()
}

const (
	day  = 24 * time.Hour
	week = 7 * day
	// fewReports in a week are too few for a day without any to mean something.
	fewReports = 10
	// longAgo is when a way that stopped is no longer in use.
	longAgo = 30 * day
)

// judge says what is wrong, the worst first. usual is how many reports were taken
// in the week before the last one.
func (i *Integration) judge(reports string, now time.Time, usual int64) {
	i.Status = "ok"
	say := func(status, format string, args ...any) {
		i.Status, i.Message = status, new(fmt.Sprintf(format, args...))
	}
	silent := day + 1
	if i.LastSeenAt != nil {
		silent = now.Sub(i.LastSeenAt.Time())
	}
	broken, found := misfit(i.Unattributed)
	switch {
	case i.FirstSeenAt == nil:
		i.Status = "unused"
	case len(i.Quarantined) > 0:
		worst := i.Quarantined[0]
		say("refusing", "%d %s were refused in the last day: %s: %s.", worst.Reports, reports, worst.Code, advice(quarantineAdvice, worst.Code, "see GET /v1/quarantine for each reason, and replay them after a fix"))
	case silent > day && silent < longAgo && usual >= fewReports:
		say("stopped", "%s stopped %s ago: check that the checkout still sends them.", reports, ago(silent))
	case found:
		say("unpaid", "%d %s credited nobody in the last day: %s: %s.", broken.Reports, reports, broken.Code, unpaidAdvice[broken.Code])
	case silent > day:
		i.Status = "idle"
	}
}

// misfit is the commonest reason for which nobody was credited and that a
// merchant or the operator can mend.
func misfit(counts []Count) (Count, bool) {
	for _, c := range counts {
		if _, mendable := unpaidAdvice[c.Code]; mendable {
			return c, true
		}
	}
	return Count{}, false
}

func ago(d time.Duration) string {
	if days := int(d / day); days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	return fmt.Sprintf("%d hours", int(d/time.Hour))
}

func advice(known map[string]string, code, otherwise string) string {
	if text := known[code]; text != "" {
		return text
	}
	return otherwise
}

// quarantineAdvice says what to do about reports that could not be taken.
var quarantineAdvice = map[string]string{
	ledger.CodeRefundConflict:  "a refund_id came that another order was refunded by; give each refund its own",
	ledger.CodeOrderConflict:   "the same order came again with another amount or currency; send adjustments as refunds, or give each order its own order_id",
	ledger.CodeOrderUnknown:    "refunds came for orders that were never reported; report the order first, under the same order_id",
	ledger.CodeRefundExceeds:   "refunds are greater than what is left of their orders; check the amounts",
	ledger.CodeEventTimeFuture: "event_time is more than 5 minutes ahead; set the sender's clock, or leave event_time out",
	"event_time_in_future":     "event_time is more than 5 minutes ahead; set the sender's clock, or leave event_time out",
	"missing_field":            "a required field is missing; every report needs event and order_id, and a currency with an amount",
	"invalid_amount":           "amounts must be decimals in the currency's own number of places, such as 49.90",
	"invalid_currency":         "currencies must be ISO 4217 codes, such as USD",
	"card_number":              "a field holds what looks like a card number; never send those",
	"forbidden_field":          "a field may be sent by an admin's key only",
	"unknown_field":            "a field has a name that is none; check its spelling",
	ledger.CodeCreatorUnknown:  "creator_id names nobody with a task; check it",
	"malformed_json":           "the body is not JSON; check the sender",
}

// unpaidAdvice says what to do about reports that were taken and credited nobody,
// where something is likely to be set up wrong.
var unpaidAdvice = map[string]string{
	attribution.ReasonCurrencyMismatch: "set an fx rate for the day with PUT /v1/fx-rates, and run POST /v1/attribution/replay",
	attribution.ReasonEventNotInTerms:  "the campaign's terms pay for no such event; add it to the terms, or correct the event's name",
	attribution.ReasonClickForged:      "click ids arrive altered; pass the value of the click parameter on unchanged",
	attribution.ReasonCodeUnknown:      "a code was sent that no creator has; check that the field code holds the referral code",
	"campaign_draft":                   "the campaign is a draft; approve it",
}
