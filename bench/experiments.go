package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// connectionCounts are the numbers of connections servers are compared at.
var connectionCounts = []int{64, 256}

// unlimited lets one generator click one link as fast as it can without the
// verdict rate. Loopback is exempt, but the generator's X-Forwarded-For is not.
var unlimited = []string{"--rate-limit", "0"}

// spoolOnly keeps the clicks in the spool, as while ClickHouse is down: what is
// compared is the redirect and its durable record with nginx's redirect and its
// log line. wholeProduct measures the rest.
var spoolOnly = append([]string{"--clickhouse", "clickhouse://127.0.0.1:9/none"}, unlimited...)

// compareRedirects runs nginx and tributary in turn, as fast as each can.
func compareRedirects(ctx context.Context, b *bench) error {
	return b.compare(ctx, "tributary", spoolOnly...)
}

// awaitedFsync does the same with every click on disk before its redirect.
func awaitedFsync(ctx context.Context, b *bench) error {
	return b.compare(ctx, "tributary --click-fsync 0", append([]string{"--click-fsync", "0"}, spoolOnly...)...)
}

// A comparison is what one server did at one number of connections.
type comparison struct{ rates, tails, cpu, timeouts []float64 }

func (b *bench) compare(ctx context.Context, name string, flags ...string) error {
	servers := []struct {
		name  string
		start func() (*target, error)
	}{
		{"nginx, access log", func() (*target, error) { return b.startNginx(ctx) }},
		{name, func() (*target, error) { return b.startTributary(ctx, serverCore, "tributary", flags...) }},
	}
	found := map[[2]int]*comparison{} // by server and connections
	for range b.rounds {
		for i, server := range servers {
			t, err := server.start()
			if err != nil {
				return err
			}
			for _, connections := range connectionCounts {
				k := [2]int{i, connections}
				if found[k] == nil {
					found[k] = &comparison{}
				}
				if err := b.saturate(ctx, t, connections, found[k]); err != nil {
					return errors.Join(err, t.stop())
				}
			}
			if err := t.stop(); err != nil {
				return fmt.Errorf("stop %s: %w", server.name, err)
			}
		}
	}
	for _, connections := range connectionCounts {
		for i, server := range servers {
			c := found[[2]int{i, connections}]
			label := fmt.Sprintf("%s, %d connections", server.name, connections)
			b.report.add(label, "redirects/s", c.rates...)
			b.report.add(label+", p99 when saturated", "ms", c.tails...)
			b.report.add(label+", answers over 2 s", "", c.timeouts...)
			b.report.add(label+", processor", "µs/redirect", c.cpu...)
		}
		nginx, tributary := found[[2]int{0, connections}], found[[2]int{1, connections}]
		b.report.add(fmt.Sprintf("tributary ÷ nginx, %d connections, redirects/s", connections), "", median(tributary.rates)/median(nginx.rates))
		b.report.add(fmt.Sprintf("nginx ÷ tributary, %d connections, processor time", connections), "", median(nginx.cpu)/median(tributary.cpu))
	}
	return nil
}

// saturate loads a server as far as it goes. Processor time per redirect is
// measured too, because it tells servers apart on a busy machine as well.
func (b *bench) saturate(ctx context.Context, t *target, connections int, c *comparison) error {
	before, err := cpuTime(t.cmd.Process.Pid)
	if err != nil {
		return err
	}
	run, err := b.wrk(ctx, t.link, connections, b.duration)
	if err != nil {
		return err
	}
	after, err := cpuTime(t.cmd.Process.Pid)
	if err != nil {
		return err
	}
	c.rates, c.tails, c.timeouts = append(c.rates, run.perSecond), append(c.tails, run.p99ms), append(c.timeouts, run.timeouts)
	c.cpu = append(c.cpu, float64((after-before).Microseconds())/run.requests)
	return nil
}

// halfLoad measures latency where a server should be run: at half of what it
// can do, with an open generator. nginx shows what of it the machine adds.
func halfLoad(ctx context.Context, b *bench) error {
	if err := b.tail(ctx, "nginx, ", func() (*target, error) { return b.startNginx(ctx) }); err != nil {
		return err
	}
	return b.tail(ctx, "", func() (*target, error) { return b.startTributary(ctx, serverCore, "tributary", spoolOnly...) })
}

// diskHog does the same while another process writes and fsyncs 100 MB/s on
// the same disk.
func diskHog(ctx context.Context, b *bench) error {
	hog, err := b.hog(ctx)
	if err != nil {
		return err
	}
	err = b.tail(ctx, "", func() (*target, error) { return b.startTributary(ctx, serverCore, "tributary", spoolOnly...) })
	err = errors.Join(err, hog.cmd.Process.Kill())
	<-hog.done
	return err
}

// tail loads a server by half of what it did just before.
func (b *bench) tail(ctx context.Context, label string, start func() (*target, error)) error {
	t, err := start()
	if err != nil {
		return err
	}
	full, err := b.wrk(ctx, t.link, connectionCounts[0], b.duration)
	if err != nil {
		return errors.Join(err, t.stop())
	}
	var p50, p99, p999 []float64
	for range b.rounds {
		run, err := b.load(ctx, generatorCore, t.link, full.perSecond/2, connectionCounts[0], b.duration)
		if err != nil {
			return errors.Join(err, t.stop())
		}
		p50, p99, p999 = append(p50, run.Latency.P50), append(p99, run.Latency.P99), append(p999, run.Latency.P999)
	}
	if t.admin != "" {
		unrecorded, err := t.metric("tributary_clicks_unrecorded_total")
		if err != nil {
			return errors.Join(err, t.stop())
		}
		b.report.add(label+"unrecorded clicks", "clicks", unrecorded)
	}
	b.report.add(label+"full load", "redirects/s", full.perSecond)
	b.report.add(label+"half load, p50", "ms", p50...)
	b.report.add(label+"half load, p99", "ms", p99...)
	b.report.add(label+"half load, p99.9", "ms", p999...)
	return t.stop()
}

// productRate is the rate one machine is promised to take, store and report.
const productRate = 20_000

// wholeProduct runs tracker, shipper, engine and reports on one machine, all
// cores, and measures until the last click is in the reports' table.
func wholeProduct(ctx context.Context, b *bench) error {
	t, err := b.startTributary(ctx, allCores, "product", unlimited...)
	if err != nil {
		return err
	}
	run, err := b.load(ctx, allCores, t.link, productRate, connectionCounts[0], b.product)
	if err != nil {
		return errors.Join(err, t.stop())
	}
	ended := time.Now()
	if err := t.waitFor(ctx, 5*time.Minute, t.spoolEmpty); err != nil {
		return errors.Join(err, t.stop())
	}
	lag := time.Since(ended)
	resident, err := residentBytes(t.cmd.Process.Pid)
	if err != nil {
		return errors.Join(err, t.stop())
	}
	shipped, err := t.metric("tributary_shipped_rows_total")
	if err != nil {
		return errors.Join(err, t.stop())
	}
	b.report.add("answered", "redirects/s", run.AnsweredPerSecond)
	b.report.add("p50", "ms", run.Latency.P50)
	b.report.add("p99", "ms", run.Latency.P99)
	b.report.add("last click stored after the end", "s", lag.Seconds())
	b.report.add("clicks answered", "clicks", float64(run.Answered))
	b.report.add("rows shipped", "rows", shipped)
	b.report.add("resident, with the embedded ClickHouse", "MB", float64(resident)/1e6)
	return t.stop()
}

// idleMemory measures a product that has just started and has nothing to do.
func idleMemory(ctx context.Context, b *bench) error {
	t, err := b.startTributary(ctx, allCores, "idle")
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.duration):
	case <-ctx.Done():
		return ctx.Err()
	}
	resident, err := residentBytes(t.cmd.Process.Pid)
	if err = errors.Join(err, t.stop()); err != nil {
		return err
	}
	b.report.add("resident, with the embedded ClickHouse", "MB", float64(resident)/1e6)
	return nil
}
