package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/background"
	"tributary/ledger"
	"tributary/schema/database"
)

// A Sink makes something of events.
type Sink interface {
	// Take prepares what the sink makes of events, and returns what writes it, nil
	// for nothing. keep is called in the transaction that passes the events'
	// messages, and waits for nothing but the database.
	Take(ctx context.Context, events []Event) (keep func(ctx context.Context, tx *database.Tx) error, err error)
	// Kept is called once what was written is committed.
	Kept()
}

// Options are what a Pump is made of.
type Options struct {
	DB         *database.DB
	Ledger     *ledger.Ledger
	Things     Things
	Sinks      []Sink
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// A Pump reads the outbox and hands events to sinks. Pumps of several processes
// may run on one database: each message is passed by one of them.
type Pump struct {
	o       Options
	make    maker
	counted *prometheus.CounterVec
}

// New makes a Pump.
func New(o Options) *Pump {
	p := &Pump{o: o, make: maker{o.Things, o.Ledger}, counted: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tributary_events_total", Help: "Events handed to webhooks and notifications, by type.",
	}, []string{"type"})}
	o.Registerer.MustRegister(p.counted)
	return p
}

// The bounds of reading.
const (
	batch    = 1_000 // messages of one pass
	interval = 250 * time.Millisecond
	maxWait  = 10 * time.Second
)

// Run hands on what happens until ctx ends. The same failure is logged once.
func (p *Pump) Run(ctx context.Context) {
	failed := func(err error) { p.o.Log.Warn("events wait in the outbox", "error", err) }
	background.Repeat(ctx, background.Pace{Every: interval, Most: maxWait}, failed, p.Pass)
}

// Pass hands on one batch and reports whether there may be more.
func (p *Pump) Pass(ctx context.Context) (more bool, err error) {
	read, err := p.o.Ledger.Outbox(ctx, ledger.ReaderEvents, batch)
	if err != nil || len(read.Messages) == 0 {
		return false, err
	}
	var all []Event
	for _, message := range read.Messages {
		made, err := p.make.of(message)
		if err != nil {
			p.o.Log.Error("a message of the outbox makes no event", "error", err)
			continue
		}
		all = append(all, made...)
	}
	all, told, err := p.fresh(ctx, all)
	if err != nil {
		return false, err
	}
	keeps, err := p.taken(ctx, all)
	if err != nil {
		return false, err
	}
	err = p.o.DB.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := p.o.Ledger.OutboxDone(ctx, read); err != nil {
			return err
		}
		for campaign, status := range told {
			if _, err := tx.Exec(ctx, "event.tell_campaign", campaign, status); err != nil {
				return err
			}
		}
		for _, keep := range keeps {
			if err := keep(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ledger.ErrReadElsewhere) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for i := range all {
		p.counted.WithLabelValues(all[i].Type).Inc()
	}
	for _, sink := range p.o.Sinks {
		sink.Kept()
	}
	return len(read.Messages) == batch, nil
}

func (p *Pump) taken(ctx context.Context, all []Event) (keeps []func(context.Context, *database.Tx) error, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	for _, sink := range p.o.Sinks {
		keep, err := sink.Take(ctx, all)
		if err != nil {
			return nil, err
		}
		if keep != nil {
			keeps = append(keeps, keep)
		}
	}
	return keeps, nil
}

// fresh leaves out what tells of a campaign's status that was told last already:
// the catalog and the clock may both notice that a campaign began. told is what
// is to be remembered.
func (p *Pump) fresh(ctx context.Context, all []Event) (kept []Event, told map[string]string, err error) {
	last := map[string]string{}
	told = map[string]string{}
	for _, e := range all {
		campaign, isCampaign := e.Message.(ledger.CampaignEvent)
		if !isCampaign {
			kept = append(kept, e)
			continue
		}
		id := campaign.CampaignID
		if _, known := last[id]; !known {
			var status string
			if err := p.o.DB.Row(ctx, "event.campaign_told", id).Scan(&status); err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, nil, fmt.Errorf("events: what was told of a campaign: %w", err)
			}
			last[id] = status
		}
		if last[id] != campaign.Status {
			last[id], told[id] = campaign.Status, campaign.Status
			kept = append(kept, e)
		}
	}
	return kept, told, nil
}
