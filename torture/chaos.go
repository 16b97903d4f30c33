package main

import (
	"context"
	"time"
)

// The length and load of clickhouseChaos.
const (
	chaosShort, chaosLong         = 1500 * time.Millisecond, 5 * time.Minute // of each ill
	chaosRateShort, chaosRateLong = 500.0, 5_000.0
	chaosShoppers                 = 16
)

// clickhouseChaos has each ill befall the way to ClickHouse, and all of them while
// the process is killed: a batch whose reply was lost is then sent by another life.
func clickhouseChaos(ctx context.Context, t *trial) error {
	ch, err := t.newClickHouse(ctx)
	if err != nil {
		return err
	}
	w, err := t.begin(ctx, "data", ch)
	if err != nil {
		return err
	}
	s := w.server
	rate := chaosRateLong
	if t.short {
		rate = chaosRateShort
	}
	crowd, counter := t.gather(ctx, w, chaosShoppers, rate), t.open(ctx, w)
	for _, i := range []ills{{slow: 0.5}, {cut: 0.6}, {loseReply: 0.6}} {
		ch.proxy.suffer(i)
		if err := sleep(ctx, t.lasting(chaosShort, chaosLong)); err != nil {
			return err
		}
		t.result.Cycles++
	}
	t.undisturbed(crowd)
	all := ills{slow: 0.2, cut: 0.3, loseReply: 0.5}
	for began := time.Now(); time.Since(began) < t.lasting(2*chaosShort, chaosLong); {
		ch.proxy.suffer(all)
		lost := ch.proxy.lost.Load()
		err := within(ctx, 30*time.Second, func() error {
			if ch.proxy.lost.Load() == lost {
				return errNothingLost
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := t.pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		if err := s.kill(); err != nil {
			return err
		}
		ch.proxy.suffer(ills{}) // it starts with what it finds, not without ClickHouse
		if err := s.run(ctx); err != nil {
			return err
		}
		t.result.Cycles++
	}
	ch.proxy.suffer(ills{})
	if err := crowd.clicking(ctx, 50); err != nil {
		return err
	}
	crowd.disperse()
	counter.close()
	p := ch.proxy
	t.note("requests to ClickHouse: %d slow, %d cut in the middle, %d carried out whose reply was lost", p.slowed.Load(), p.cuts.Load(), p.lost.Load())
	if p.slowed.Load() == 0 || p.cuts.Load() == 0 || p.lost.Load() == 0 {
		t.wrong("one of the ills did not befall anybody: the experiment proves little")
	}
	t.unexpected(crowd, counter)
	return t.reckon(ctx, w)
}
