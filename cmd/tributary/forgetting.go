package main

import (
	"context"
	"time"

	"tributary/attribution"
	"tributary/ingest"
)

// auditLogYears is how long it is known who changed what: as long as books are kept.
const auditLogYears = 7

// goneNodeDays is how long nodes are listed that stopped with nothing left.
const goneNodeDays = 30

// forgetEvery is how often what is kept for a time only is looked at; at the start of
// a node it is not known yet which one leads.
const forgetEvery = time.Hour

// forgetOld forgets what was kept long enough: the contents of both quarantines
// after the retention of clicks, the audit log after auditLogYears, nodes that are gone
// after goneNodeDays. Webhook
// deliveries, notifications, e-mails, sessions and kept answers go by themselves. Each
// node has a quarantine of clicks of its own; what is in SQL one node forgets, and two
// may: what is gone is gone.
func (a *app) forgetOld(ctx context.Context) {
	for {
		if err := a.forget(ctx, a.now()); err != nil && ctx.Err() == nil {
			a.log.Warn("what was kept long enough could not be forgotten; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(forgetEvery):
		}
	}
}

func (a *app) forget(ctx context.Context, now time.Time) error {
	if a.leads() {
		if _, err := a.things.ForgetAuditLog(ctx, attribution.InstantOf(now.AddDate(-auditLogYears, 0, 0))); err != nil {
			return err
		}
		if err := forgetGoneNodes(ctx, a.db, now.AddDate(0, 0, -goneNodeDays)); err != nil {
			return err
		}
	}
	months := a.inForce.Load().ClickRetentionMonths
	if months == 0 {
		return nil
	}
	before := now.AddDate(0, -months, 0)
	if a.leads() {
		if _, err := a.money.ForgetQuarantined(ctx, attribution.InstantOf(before)); err != nil {
			return err
		}
	}
	_, err := a.quarantine.Rewrite(ctx, func(e *ingest.QuarantineEntry) bool {
		if !e.At.Before(before) || len(e.Record) == 0 {
			return false
		}
		e.Record = []byte{}
		return true
	})
	return err
}
