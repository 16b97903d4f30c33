package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// backlog fills the spool while ClickHouse is away, starts again with the
// embedded one, and measures how fast the clicks are stored, and then how fast
// they are reported.
func backlog(ctx context.Context, b *bench) error {
	t, err := b.startTributary(ctx, allCores, "backlog", spoolOnly...)
	if err != nil {
		return err
	}
	if _, err := b.wrk(ctx, t.link, connectionCounts[0], b.duration); err != nil {
		return errors.Join(err, t.stop())
	}
	waiting, err := t.metric("tributary_spool_records")
	if err = errors.Join(err, t.stop()); err != nil {
		return err
	}
	began := time.Now()
	if t, err = b.resumeTributary(ctx, allCores, "backlog", unlimited...); err != nil {
		return err
	}
	err = t.waitFor(ctx, 10*time.Minute, t.spoolEmpty)
	if err != nil {
		return errors.Join(err, t.stop())
	}
	took := time.Since(began)
	b.report.add("clicks that waited in the spool", "clicks", waiting)
	b.report.add("start and drain", "s", took.Seconds())
	b.report.add("drained", "clicks/s", waiting/took.Seconds())
	return errors.Join(b.timeReports(t, waiting), t.stop())
}

// spoolEmpty reports an error while clicks wait to be stored.
func (t *target) spoolEmpty() error {
	left, err := t.metric("tributary_spool_records")
	if err == nil && left > 0 {
		err = fmt.Errorf("%.0f records are still in the spool", left)
	}
	return err
}

// reportRuns is how often each report is asked for.
const reportRuns = 20

func (b *bench) timeReports(t *target, clicks float64) error {
	for _, path := range []string{
		"/v1/reports/campaigns",
		"/v1/reports/performance?group_by=campaign,platform,day&tz=Asia/Kolkata",
		"/v1/reports/performance?group_by=country,device",
		"/v1/clicks?limit=100",
	} {
		var took []float64
		for range reportRuns {
			began := time.Now()
			if _, err := t.call(http.MethodGet, path, nil); err != nil {
				return err
			}
			took = append(took, float64(time.Since(began).Microseconds())/1000)
		}
		b.report.add(fmt.Sprintf("%s over %.1fM clicks", path, clicks/1e6), "ms", took...)
	}
	return nil
}
