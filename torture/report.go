package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is everything a battery found.
type report struct {
	At      string    `json:"at"`
	Machine string    `json:"machine"`
	Seed    uint64    `json:"seed"`
	Short   bool      `json:"short"`
	Held    bool      `json:"held"` // every experiment did
	Results []*result `json:"results"`
}

// A result is what one experiment found.
type result struct {
	Name         string   `json:"name"`
	Fault        string   `json:"fault"`
	Cycles       int      `json:"cycles"`       // how often the fault was brought about
	Events       int      `json:"events"`       // clicks and orders sent
	Acknowledged int      `json:"acknowledged"` // of them
	Unrecorded   int      `json:"unrecorded"`   // clicks the product said it could not keep
	Lost         int      `json:"lost"`         // acknowledged, not there, and not said to be unrecorded
	Doubled      int      `json:"doubled"`
	Invented     int      `json:"invented"` // never sent, or with another answer than was given
	Seconds      float64  `json:"seconds"`
	Held         bool     `json:"held"`
	Wrong        []string `json:"wrong,omitempty"`
	Notes        []string `json:"notes,omitempty"`
}

func (r *result) verdict() string {
	if r.Held {
		return "held"
	}
	return "BROKEN"
}

func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\nseed %d\n\n", r.At, r.Machine, r.Seed)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "experiment\tcycles\tevents\tacknowledged\tunrecorded\tlost\tdoubled\tinvented\tseconds\tverdict\t")
	for _, e := range r.Results {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%s\t\n",
			e.Name, e.Cycles, e.Events, e.Acknowledged, e.Unrecorded, e.Lost, e.Doubled, e.Invented, e.Seconds, e.verdict())
	}
	w.Flush() // a strings.Builder takes everything
	for _, e := range r.Results {
		fmt.Fprintf(&b, "\n%s: %s\n", e.Name, e.Fault)
		for _, note := range e.Notes {
			fmt.Fprintf(&b, "  %s\n", note)
		}
		for _, wrong := range e.Wrong {
			fmt.Fprintf(&b, "  WRONG  %s\n", wrong)
		}
	}
	return b.String()
}

// save writes the report as JSON and as a table and returns the JSON's path.
func (r *report) save(dir string) (string, error) {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, time.Now().UTC().Format("20060102-150405"))
	if err := os.WriteFile(path+".txt", []byte(r.table()), 0o644); err != nil {
		return "", err
	}
	return path + ".json", os.WriteFile(path+".json", append(content, '\n'), 0o644)
}

// machine is what the battery ran on.
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
	return fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model)
}
