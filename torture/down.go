package main

import (
	"context"
	"time"
)

// What clickhouseDown asks for.
const (
	downShort, downLong         = 4 * time.Second, 10 * time.Minute
	upShort, upLong             = time.Second, 2 * time.Minute
	downRateShort, downRateLong = 2_000.0, 20_000.0
	downShoppers                = 32
	maxMemoryGrowth             = 200 << 20
	maxSlower                   = 1.10 // p99 with ClickHouse down to that with it up
	minDrain                    = 3.0  // rows a second, to the clicks a second
	memoryEvery                 = 250 * time.Millisecond
)

// clickhouseDown takes ClickHouse away under load and brings it back. In the long
// form it also measures: shoppers wait no longer, memory is bounded, and what has
// waited is brought in faster than it came.
func clickhouseDown(ctx context.Context, t *trial) error {
	ch, err := t.newClickHouse(ctx)
	if err != nil {
		return err
	}
	w, err := t.begin(ctx, "data", ch)
	if err != nil {
		return err
	}
	s := w.server
	rate := downRateLong
	if t.short {
		rate = downRateShort
	}
	crowd, counter := t.gather(ctx, w, downShoppers, rate), t.open(ctx, w)
	up := t.lasting(upShort, upLong)
	if err := sleep(ctx, up/4); err != nil { // until caches are warm
		return err
	}
	crowd.p99()
	memoryUp, err := s.highestMemory(ctx, up)
	if err != nil {
		return err
	}
	p99Up := crowd.p99()

	ch.proxy.suffer(ills{down: true})
	if err := ch.kill(); err != nil {
		return err
	}
	t.result.Cycles++
	memoryDown, err := s.highestMemory(ctx, t.lasting(downShort, downLong))
	if err != nil {
		return err
	}
	p99Down := crowd.p99()
	for _, address := range []string{s.tracker, s.admin} {
		if err := ready(ctx, address); err != nil {
			t.wrong("without ClickHouse the server is not ready: %v", err)
		}
	}
	waiting, err := metric(s.admin, "tributary_spool_records")
	if err != nil {
		return err
	}
	t.note("%.0f records waited; memory rose from %d MB to %d MB", waiting, memoryUp>>20, memoryDown>>20)
	if waiting == 0 {
		t.wrong("nothing waits in the spool: ClickHouse was not away")
	}
	if memoryDown-memoryUp > maxMemoryGrowth {
		t.wrong("memory rose by %d MB", (memoryDown-memoryUp)>>20)
	}
	if !t.short { // generator, server and ClickHouse share the machine: what drains is measured alone
		crowd.disperse()
		counter.close()
	}
	if err := ch.start(ctx); err != nil {
		return err
	}
	ch.proxy.suffer(ills{})
	if t.short {
		if err := crowd.clicking(ctx, 500); err != nil {
			return err
		}
		crowd.disperse()
		counter.close()
	}
	began := time.Now()
	if err := s.drained(ctx); err != nil {
		return err
	}
	drained := waiting / time.Since(began).Seconds()
	t.undisturbed(crowd)
	t.unexpected(crowd, counter)
	t.note("p99 of a click %s with ClickHouse, %s without; %.0f records/s brought in when it was back", p99Up, p99Down, drained)
	if !t.short {
		if float64(p99Down) > maxSlower*float64(p99Up) {
			t.wrong("p99 rose from %s to %s", p99Up, p99Down)
		}
		if drained < minDrain*rate {
			t.wrong("%.0f records/s were brought in, %.0f came", drained, rate)
		}
	}
	return t.reckon(ctx, w)
}

// highestMemory looks at the process's memory for a while.
func (s *server) highestMemory(ctx context.Context, lasting time.Duration) (highest int64, err error) {
	for until := time.Now().Add(lasting); time.Now().Before(until); {
		now, err := s.residentBytes()
		if err != nil {
			return 0, err
		}
		highest = max(highest, now)
		if err := sleep(ctx, memoryEvery); err != nil {
			return 0, err
		}
	}
	return highest, nil
}
