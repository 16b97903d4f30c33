package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tributary/bench/capacity"
)

// A clickLine is a tracker that ships to a ClickHouse of its own process, with
// forwarders between, and many links.
type clickLine struct {
	*target
	clickhouse *store
	front      *forwarder // before the tracker
	links      []string
	trickled   float64 // µs of a redirect when there are so few
}

func (b *bench) startClickLine(ctx context.Context, core string, flags ...string) (*clickLine, error) {
	l := &clickLine{}
	var err error
	if l.clickhouse, err = b.startClickHouse(); err != nil {
		return nil, err
	}
	l.target, err = b.startTributary(ctx, core, "costs", append([]string{"--clickhouse", l.clickhouse.url, "--rate-limit", "0"}, flags...)...)
	if err != nil {
		return nil, errors.Join(err, l.clickhouse.stop())
	}
	if l.front, err = forward("tcp", strings.TrimPrefix(l.tracker, "http://")); err != nil {
		return nil, errors.Join(err, l.stop())
	}
	if l.links, err = l.moreLinks(costLinks); err != nil {
		return nil, errors.Join(err, l.stop())
	}
	return l, l.waitFor(ctx, time.Minute, l.stored) // the click that tried the link: ClickHouse has its tables
}

func (l *clickLine) stop() error {
	var err error
	if l.front != nil {
		err = l.front.close()
	}
	return errors.Join(err, l.target.stop(), l.clickhouse.stop())
}

// stored reports an error until a click is in ClickHouse and none waits.
func (l *clickLine) stored() error {
	shipped, err := l.metric("tributary_shipped_rows_total")
	if err == nil && shipped == 0 {
		err = errors.New("nothing is stored yet")
	}
	return errors.Join(err, l.spoolEmpty())
}

// moreLinks makes links of the task of the first one, by the thousand.
func (t *target) moreLinks(count int) (links []string, err error) {
	tasks, err := t.call(http.MethodGet, "/v1/tasks", nil)
	if err != nil {
		return nil, err
	}
	task := tasks["items"].([]any)[0].(map[string]any)["id"]
	const most = 1_000 // of one call
	for len(links) < count {
		var items []map[string]any
		for range min(most, count-len(links)) {
			items = append(items, map[string]any{"task_id": task})
		}
		made, err := t.post("/v1/links/bulk", map[string]any{"items": items})
		if err != nil {
			return nil, err
		}
		for _, result := range made["results"].([]any) {
			link, _ := result.(map[string]any)["link"].(map[string]any)
			url, _ := link["url"].(string)
			if url == "" {
				return nil, fmt.Errorf("a link is not made: %v", result)
			}
			links = append(links, url)
		}
	}
	return links, nil
}

// costsOfClicks follows clicks from the shopper to the report.
func (b *bench) costsOfClicks(ctx context.Context, c *capacity.Costs) error {
	l, err := b.startClickLine(ctx, serverCore)
	if err != nil {
		return err
	}
	err = b.followClicks(ctx, l, c)
	return errors.Join(err, l.stop())
}

func (b *bench) followClicks(ctx context.Context, l *clickLine, c *capacity.Costs) error {
	pids := []int{l.cmd.Process.Pid, l.clickhouse.cmd.Process.Pid}
	rest, err := atRest(restFor, pids...)
	if err != nil {
		return err
	}
	if c.TrackerMemoryBytes, err = ownMemory(pids[0]); err != nil {
		return err
	}
	l.clickhouse.away(true)
	if err := b.redirectCosts(ctx, l, c, rest[:1]); err != nil {
		return err
	}
	if err := unpin(ctx, l.cmd.Process.Pid); err != nil {
		return err
	}
	drained, err := b.drain(ctx, l, rest)
	if err != nil {
		return err
	}
	c.ShipMostPerSecond = drained.perSecond
	c.InsertClickBytes = float64(drained.wire) / drained.rows
	trickled, err := b.trickle(ctx, l, rest)
	if err != nil {
		return err
	}
	c.ShipRowMicros, c.ShipInsertMicros = split(drained, trickled, 0)
	c.StoreRowMicros, c.StoreInsertMicros = split(drained, trickled, 1)
	if c.StoredClickBytes, err = l.clickhouse.bytesOf("clicks"); err != nil {
		return err
	}
	if err := b.memoryBehindLoad(l, c); err != nil {
		return err
	}
	return l.reportCosts(c, rest)
}

// redirectCosts are measured while ClickHouse is away: clicks stay in the spool.
func (b *bench) redirectCosts(ctx context.Context, l *clickLine, c *capacity.Costs, rest []float64) error {
	quiet, _, trickled, err := b.costOfRedirect(ctx, l, trickleRate, rest)
	if err != nil {
		return err
	}
	c.RoundTripMicros, l.trickled = quiet.Latency.P50*1e3, trickled
	run, generator, idle, err := b.costOfRedirect(ctx, l, idleRate, rest)
	if err != nil {
		return err
	}
	c.RedirectIdleMicros, c.RedirectIdleRate = idle, run.AnsweredPerSecond
	c.GeneratorMicros = generator / float64(run.Answered)
	if err := b.wireOfRedirects(ctx, l, c); err != nil {
		return err
	}
	if _, _, err := b.clicks(ctx, generatorCore, l.links, fillRate, 2*b.duration); err != nil {
		return err
	}
	waiting, err := l.metric("tributary_spool_records")
	if err != nil {
		return err
	}
	written, err := b.writtenBytes("costs", "spool")
	if err != nil {
		return err
	}
	c.SpoolClickBytes = written / waiting
	if c.FsyncMicros, err = l.metric("tributary_spool_fsync_seconds"); err != nil {
		return err
	}
	c.FsyncMicros *= 1e6
	return nil
}

// costOfRedirect returns what a redirect costs the tracker at a rate, in microseconds,
// beside what the generator found and used itself.
func (b *bench) costOfRedirect(ctx context.Context, l *clickLine, rate float64, rest []float64) (run loadRun, generator, micros float64, err error) {
	m, err := startMeter(l.cmd.Process.Pid)
	if err != nil {
		return run, 0, 0, err
	}
	if run, generator, err = b.clicks(ctx, generatorCore, l.links, rate, b.duration); err != nil {
		return run, 0, 0, err
	}
	used, _, err := m.micros(rest)
	if err != nil {
		return run, 0, 0, err
	}
	return run, generator, used[0] / float64(run.Answered), nil
}

// wireOfRedirects counts bytes as the connection carries them, without TLS.
func (b *bench) wireOfRedirects(ctx context.Context, l *clickLine, c *capacity.Costs) error {
	_, path, _ := strings.Cut(strings.TrimPrefix(l.links[0], "http://"), "/")
	run, _, err := b.clicks(ctx, generatorCore, []string{"http://" + l.front.address() + "/" + path}, 1_000, 2*time.Second)
	if err != nil {
		return err
	}
	c.RedirectInBytes = float64(l.front.there.Load()) / float64(run.Answered)
	c.RedirectOutBytes = float64(l.front.back.Load()) / float64(run.Answered)
	return nil
}

func (b *bench) memoryBehindLoad(l *clickLine, c *capacity.Costs) error {
	var err, also error
	c.LoadedMemoryBytes, err = ownMemory(l.cmd.Process.Pid)
	c.EngineMemoryBytes, also = peakMemory(l.clickhouse.cmd.Process.Pid)
	return errors.Join(err, also)
}

// reportCosts asks for the two named reports and one of days.
func (l *clickLine) reportCosts(c *capacity.Costs, rest []float64) error {
	m, err := startMeter(l.cmd.Process.Pid, l.clickhouse.cmd.Process.Pid)
	if err != nil {
		return err
	}
	paths := []string{"/v1/reports/campaigns", "/v1/reports/platforms", "/v1/reports/performance?group_by=campaign,platform,day&tz=Asia/Kolkata"}
	for range reportRuns {
		for _, path := range paths {
			if _, err := l.call(http.MethodGet, path, nil); err != nil {
				return err
			}
		}
	}
	used, _, err := m.micros(rest)
	if err != nil {
		return err
	}
	asked := float64(reportRuns * len(paths))
	c.ReportMicros, c.ReportStoreMicros = used[0]/asked, used[1]/asked
	c.ReportClicks, err = l.clickhouse.ask("SELECT count() FROM clicks")
	return err
}

// clicks runs loadgen and also returns its processor time,
// in microseconds.
func (b *bench) clicks(ctx context.Context, core string, links []string, rate float64, length time.Duration) (loadRun, float64, error) {
	args := []string{"loadgen", "--json", "--rate", fmt.Sprintf("%.0f", rate), "--duration", length.String(), "--connections", "64",
		"--visitors", fmt.Sprint(costVisitors)}
	for _, link := range links {
		args = append(args, "--url", link)
	}
	cmd, err := pinned(ctx, core, b.binary, args...)
	if err != nil {
		return loadRun{}, 0, err
	}
	var run loadRun
	out, err := cmd.Output()
	if decoded := json.Unmarshal(out, &run); decoded != nil {
		return run, 0, errors.Join(err, fmt.Errorf("loadgen printed what cannot be read: %w", decoded))
	}
	return run, float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()), err
}
