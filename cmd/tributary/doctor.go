package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

type doctorCommand struct{ Settings }

// Help is printed below the verb's first line.
func (doctorCommand) Help() string {
	return "Takes the same settings as serve and may be run beside it. It changes nothing but a small file in the data " +
		"directory that it writes to time the disk and removes again."
}

// Run examines everything and fails when something would keep serve from
// working.
func (d *doctorCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := d.Options(sources)
	if err != nil {
		return err
	}
	x := &examination{options: options, now: time.Now()}
	for _, check := range checks {
		checkCtx, cancel := context.WithTimeout(ctx, checkTimeout)
		check(checkCtx, x)
		cancel()
	}
	x.write(t.Out)
	if slices.ContainsFunc(x.findings, func(f finding) bool { return f.grade == failing }) {
		return errors.New("something needs you; see FAIL above")
	}
	return nil
}

// checkTimeout bounds one check.
const checkTimeout = 10 * time.Second

// An examination collects what the checks find.
type examination struct {
	options  Options
	now      time.Time
	running  bool // another process serves this data directory
	findings []finding
}

// A finding is one line of the doctor's report.
type finding struct {
	grade        grade
	subject      string
	observed, do string // do: what the operator should do
}

type grade string

const (
	fine    grade = "ok"
	warning grade = "warn"
	failing grade = "FAIL"
)

func (x *examination) found(g grade, subject, do, format string, args ...any) {
	x.findings = append(x.findings, finding{g, subject, fmt.Sprintf(format, args...), do})
}

func (x *examination) write(w io.Writer) {
	for _, f := range x.findings {
		fmt.Fprintf(w, "%-5s %-12s %s\n", f.grade, f.subject, f.observed)
		if f.do != "" {
			fmt.Fprintf(w, "      %-12s → %s\n", "", f.do)
		}
	}
}
