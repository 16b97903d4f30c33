package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// browser is the user agent wrk sends: without one every hit would be a bot.
const browser = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"

// A wrkRun is what wrk found with every connection as busy as it can be.
// Timeouts are answers that took over 2 s.
type wrkRun struct{ perSecond, requests, p99ms, timeouts float64 }

var (
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkTotal  = regexp.MustCompile(`(\d+) requests in`)
	wrkP99    = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	wrkErrors = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus = regexp.MustCompile(`Non-2xx or 3xx responses.*`)
)

func (b *bench) wrk(ctx context.Context, link string, connections int, duration time.Duration) (wrkRun, error) {
	return b.wrkOn(ctx, generatorCore, link, connections, duration)
}

func (b *bench) wrkOn(ctx context.Context, core, link string, connections int, duration time.Duration) (wrkRun, error) {
	out, err := output(ctx, core, "wrk", "-t1", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(int(duration.Seconds()))+"s", "--latency", "-H", browser, link)
	if err != nil {
		return wrkRun{}, err
	}
	text := string(out)
	if failed := wrkStatus.FindString(text); failed != "" {
		return wrkRun{}, fmt.Errorf("wrk: %s", failed)
	}
	var run wrkRun
	if failed := wrkErrors.FindStringSubmatch(text); failed != nil {
		if failed[1] != "0" || failed[2] != "0" || failed[3] != "0" {
			return wrkRun{}, fmt.Errorf("wrk: %s", failed[0])
		}
		if run.timeouts, err = strconv.ParseFloat(failed[4], 64); err != nil {
			return wrkRun{}, err
		}
	}
	rate, total, p99 := wrkRate.FindStringSubmatch(text), wrkTotal.FindStringSubmatch(text), wrkP99.FindStringSubmatch(text)
	if rate == nil || total == nil || p99 == nil {
		return wrkRun{}, fmt.Errorf("wrk printed what cannot be read:\n%s", text)
	}
	if run.perSecond, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return wrkRun{}, err
	}
	if run.requests, err = strconv.ParseFloat(total[1], 64); err != nil {
		return wrkRun{}, err
	}
	if run.p99ms, err = strconv.ParseFloat(p99[1], 64); err != nil {
		return wrkRun{}, err
	}
	run.p99ms *= map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
	return run, nil
}

// A loadRun is what `tributary loadgen` found at a steady rate.
type loadRun struct {
	Answered          uint64            `json:"answered"`
	AnsweredPerSecond float64           `json:"answered_per_second"`
	Errors            map[string]uint64 `json:"errors"`
	Latency           struct {
		P50  float64 `json:"p50"`
		P99  float64 `json:"p99"`
		P999 float64 `json:"p99.9"`
		Max  float64 `json:"max"`
	} `json:"latency_ms"`
}

func (b *bench) load(ctx context.Context, core, link string, rate float64, connections int, duration time.Duration) (loadRun, error) {
	var run loadRun
	out, err := output(ctx, core, b.binary, "loadgen", "--json", "--url", link, "--rate", fmt.Sprintf("%.0f", rate),
		"--duration", duration.String(), "--connections", strconv.Itoa(connections))
	if decoded := json.Unmarshal(out, &run); decoded != nil && err == nil {
		err = fmt.Errorf("loadgen printed what cannot be read: %w", decoded)
	}
	return run, err
}

// hog writes to the disk the data directory is on until stop: 100 MB/s in
// writes of 1 MB, each followed by an fsync.
func (b *bench) hog(ctx context.Context) (*process, error) {
	script := strings.Join([]string{
		"import os, sys, time",
		"block, step = os.urandom(1 << 20), 0.01",
		"f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)",
		"due = time.monotonic()",
		"while True:",
		"    os.pwrite(f, block, (int(due * 100) % 512) << 20)",
		"    os.fsync(f)",
		"    due += step",
		"    time.sleep(max(0, due - time.monotonic()))",
	}, "\n")
	return b.start(ctx, generatorCore, "hog", "python3", nil, "-c", script, filepath.Join(b.scratch, "hog.data"))
}
