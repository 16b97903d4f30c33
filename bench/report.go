package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"tributary/bench/capacity"
)

// A report is everything a run of the bench found.
type report struct {
	At      string   `json:"at"`
	Machine string   `json:"machine"`
	Figures []figure `json:"figures"`
	Notes   []string `json:"notes,omitempty"` // what tests printed

	// What docs/scaling.md is computed from.
	Costs       *capacity.Costs `json:"costs,omitempty"`
	Predictions []prediction    `json:"predictions,omitempty"`
	Two         *twoFigures     `json:"two_trackers,omitempty"`

	experiment string // the running one
}

// A figure is one number, the median of its runs.
type figure struct {
	Experiment string    `json:"experiment"`
	Name       string    `json:"name"`
	Median     float64   `json:"median"`
	Unit       string    `json:"unit"`
	Runs       []float64 `json:"runs,omitempty"`
}

// add reports the median of one or more runs.
func (r *report) add(name, unit string, runs ...float64) {
	f := figure{r.experiment, name, median(runs), unit, nil}
	if len(runs) > 1 {
		f.Runs = runs
	}
	r.Figures = append(r.Figures, f)
	fmt.Printf("%-58s %12s %s\n", name, number(f.Median), unit)
}

func median(runs []float64) float64 {
	if len(runs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(runs))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func number(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", r.At, r.Machine)
	last := ""
	for _, f := range r.Figures {
		if f.Experiment != last {
			fmt.Fprintf(&b, "\n%s\n", f.Experiment)
			last = f.Experiment
		}
		fmt.Fprintf(&b, "  %-58s %12s %s", f.Name, number(f.Median), f.Unit)
		if len(f.Runs) > 0 {
			fmt.Fprintf(&b, "  (%d runs, %s to %s)", len(f.Runs), number(slices.Min(f.Runs)), number(slices.Max(f.Runs)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// machine describes what the figures were measured on.
func machine() string {
	model := "unknown processor"
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(content)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	load := "unknown"
	if content, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(content))[:3], " ")
	}
	return fmt.Sprintf("%s/%s, %d cores, %s, load average at the end %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model, load)
}
