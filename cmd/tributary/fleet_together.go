package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tributary/fleet"
	"tributary/ingest"
	"tributary/redirect/links"
	"tributary/redirect/verdict"
)

// What trackers that share Redis decide together: which visitors are unique, which
// salt they hash them under, which networks click too often, and how many clicks
// a link may still have. None of it is asked for while a shopper waits, and each
// tracker goes on alone while Redis is away.

// The times of exchanges.
const (
	saltsEvery   = time.Second
	exchangeWait = 2 * time.Second
	ratesKept    = 10 * time.Second // in Redis, behind their window
	limitsKept   = 30 * 24 * time.Hour
)

// together reports whether this node decides with others: in a rehearsal, whose
// clock is its own, it does not.
func (a *app) together() bool { return a.fleet != nil && a.clock == nil }

// uniqueWindow decides which visits are unique.
func (a *app) uniqueWindow() ingest.UniqueWindow {
	alone := ingest.NewMemoryWindow(0)
	a.shipping.WatchWindow(alone)
	if !a.together() {
		return alone
	}
	jury := &visitJury{visits: a.fleet.NewVisits(ingest.UniqueWindowLength, time.Now)}
	return ingest.NewSharedWindow(alone, jury, a.shipping, a.log)
}

// A visitJury puts the shipper's questions to the fleet.
type visitJury struct {
	visits *fleet.Visits
	asked  []fleet.Visit
	said   []fleet.Judgement
}

// Judge implements ingest.Jury.
func (j *visitJury) Judge(ctx context.Context, hits []ingest.Hit, judgements []ingest.Judgement) error {
	j.asked, j.said = j.asked[:0], j.said[:0]
	for i := range hits {
		h := &hits[i]
		j.asked = append(j.asked, fleet.Visit{Place: h.Place, Key: h.VisitKey(), Earlier: h.VisitKeyPrev(), Number: h.Number, AtMs: h.AtMs})
		j.said = append(j.said, fleet.Undecided)
	}
	err := j.visits.Judge(ctx, j.asked, j.said)
	for i, said := range j.said {
		switch said {
		case fleet.First:
			judgements[i] = ingest.First
		case fleet.Again:
			judgements[i] = ingest.Again
		}
	}
	return err
}

// A rateLimit counts what networks click on links, for one limit.
type rateLimit struct {
	window *verdict.RateWindow
	tally  *fleet.Tally // what other trackers count; nil alone, and without a limit
}

func (a *app) newRateLimit(limit verdict.Rate) (*rateLimit, error) {
	if !a.together() {
		return &rateLimit{window: verdict.NewRateWindow(limit)}, nil
	}
	secret, err := a.sharedKey("rates")
	if err != nil {
		return nil, err
	}
	rates := &rateLimit{window: verdict.NewSharedRateWindow(limit, [32]byte(secret))}
	if limit.Hits > 0 {
		// It counts from zero, and so under a name of its own.
		rates.tally = a.fleet.NewTally("rate", rand.Text(), time.Duration(limit.WindowMs)*time.Millisecond+ratesKept)
	}
	return rates, nil
}

// sharedKey is a key that follows from the installation's secrets and serves one
// purpose. All nodes have the same.
func (a *app) sharedKey(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, a.secrets.KeyPepper, nil, "tributary "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", purpose, err)
	}
	return key, nil
}

// exchange keeps what the tracker counts in line with what other trackers do.
func (a *app) exchange(limits *links.Limits) error {
	exchanges := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tributary_exchanges_total",
		Help: "Exchanges with other trackers through Redis: of visitor salts, of hits by network (rates), of clicks on links that may have only so many (limits). Failed are those Redis did not answer.",
	}, []string{"what", "result"})
	a.metrics.MustRegister(exchanges)
	if !a.together() {
		return nil
	}
	every := func(what string, interval time.Duration, do func(context.Context) error) {
		a.life.background("exchange of "+what, func(ctx context.Context) {
			a.every(ctx, interval, what+" could not be exchanged with other trackers", func(ctx context.Context) error {
				return a.exchangeOnce(ctx, exchanges, what, do)
			})
		})
	}
	key, err := a.sharedKey("visitor salts")
	if err != nil {
		return err
	}
	salts, err := a.fleet.NewSalts(key)
	if err != nil {
		return err
	}
	every("salts", saltsEvery, func(ctx context.Context) error {
		return a.salts.Agree(ctx, salts, time.Now().UnixMilli())
	})
	a.life.background("exchange of rates", func(ctx context.Context) {
		var last time.Time
		var failed error
		a.every(ctx, verdict.MinRateExchangeEvery, "rates could not be exchanged with other trackers", func(ctx context.Context) error {
			rates := a.rates.Load() // a reload may have brought another limit
			if rates.tally == nil || time.Since(last) < rates.window.ExchangeEvery() {
				return failed
			}
			last = time.Now()
			failed = a.exchangeOnce(ctx, exchanges, "rates", func(ctx context.Context) error {
				return rates.window.Exchange(ctx, rates.tally, time.Now().UnixMilli())
			})
			return failed
		})
	})
	tally := a.fleet.NewTally("limit", limits.Identity(), limitsKept)
	every("limits", links.LimitExchangeEvery, func(ctx context.Context) error { return limits.Exchange(ctx, tally) })
	return nil
}

// exchangeOnce exchanges something unless Redis is away, which its client says.
func (a *app) exchangeOnce(ctx context.Context, exchanges *prometheus.CounterVec, what string, do func(context.Context) error) error {
	if !a.fleet.Connected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	err := do(ctx)
	result := "done"
	if err != nil {
		result = "failed"
	}
	exchanges.WithLabelValues(what, result).Inc()
	if errors.Is(err, fleet.ErrAway) {
		return nil
	}
	return err
}
