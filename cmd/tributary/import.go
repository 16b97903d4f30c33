package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"tributary/cmd/tributary/csvimport"
)

type importCommand struct {
	File       string        `arg:"" placeholder:"FILE.csv" help:"Conversions; the first line names the fields: event and order_id are required."`
	URL        string        `name:"url" env:"TRIBUTARY_URL" default:"http://127.0.0.1:8081" help:"The API of a running Tributary. Also TRIBUTARY_URL."`
	Key        string        `env:"TRIBUTARY_KEY" help:"An API key: an admin's, an advertiser's or an ingest key. Better given as TRIBUTARY_KEY, which no process list shows."`
	Advertiser string        `placeholder:"ADV_ID" help:"Whose conversions these are; needed with an admin's key only."`
	DryRun     bool          `help:"Say what would happen, and store nothing."`
	Patience   time.Duration `default:"10m" help:"How long to try while the server does not answer."`
}

// Help is printed below the verb's first line.
func (importCommand) Help() string {
	return "Sends the file to a running server, from any machine. An order counts once, so that a file may be imported again. " +
		"If it is cut short, the same command goes on where it stopped: FILE.csv.import.json, beside the file, says where. Lines that are not " +
		"taken are written to FILE.refused.csv with their reasons; corrected, that file can be imported itself. The exit code is 1 " +
		"when lines were refused."
}

// Run imports the file and says what became of it.
func (c *importCommand) Run(ctx context.Context, t terminal) error {
	if c.Key == "" {
		return fmt.Errorf("an API key is needed: set TRIBUTARY_KEY")
	}
	bar := &importBar{out: t.Err, quiet: true}
	if stderr, isFile := t.Err.(*os.File); isFile {
		bar.quiet = !isatty.IsTerminal(stderr.Fd())
	}
	result, err := csvimport.Run(ctx, csvimport.Options{
		File: c.File, URL: c.URL, Key: c.Key, AdvertiserID: c.Advertiser, DryRun: c.DryRun, Patience: c.Patience,
	}, bar.show)
	bar.end()
	if result.Lines > 0 || err == nil {
		c.summarize(t.Out, &result)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted; the same command goes on")
	case err != nil:
		return err
	case result.Refused() > 0:
		return fmt.Errorf("%d of %d lines were refused: see %s", result.Refused(), result.Lines, result.RefusedFile)
	}
	return nil
}

func (c *importCommand) summarize(out io.Writer, r *csvimport.Result) {
	if r.ResumedAt > 0 {
		fmt.Fprintf(out, "resumed at line %d\n", r.ResumedAt)
	}
	would := ""
	if c.DryRun {
		would = " (dry run: nothing was stored; orders of one file are not compared)"
	}
	fmt.Fprintf(out, "%d lines: %d accepted, %d known already, %d refused%s\n", r.Lines, r.Accepted, r.Duplicate, r.Refused(), would)
	if r.Conflict > 0 {
		fmt.Fprintf(out, "%d of the refused are orders known with another amount: adjust or refund those\n", r.Conflict)
	}
	if r.Pending > 0 {
		fmt.Fprintf(out, "%d more are stored and will be settled in a moment\n", r.Pending)
	}
}

// An importBar shows how far an import is, on a terminal.
type importBar struct {
	out    io.Writer
	quiet  bool
	began  time.Time
	shown  time.Time
	length int // of what is on the line
}

// barInterval is how often the line is written anew.
const barInterval = 100 * time.Millisecond

func (b *importBar) show(p csvimport.Progress) {
	now := time.Now()
	if b.began.IsZero() {
		b.began = now
	}
	done := p.Sent == p.Bytes || p.Waiting != ""
	if b.quiet || !done && now.Sub(b.shown) < barInterval {
		return
	}
	b.shown = now
	b.write(barText(p, now.Sub(b.began)))
}

// barText is the line: how much of the file, how many lines, how long still.
func barText(p csvimport.Progress, took time.Duration) string {
	const width = 24
	part := 1.0
	if p.Bytes > 0 {
		part = float64(p.Sent) / float64(p.Bytes)
	}
	full := int(part * width)
	text := fmt.Sprintf("[%s%s] %3.0f %%  %d lines, %d refused", strings.Repeat("#", full), strings.Repeat("-", width-full), part*100, p.Lines, p.Refused())
	switch sent := p.Sent - p.Began; {
	case p.Waiting != "":
		text += "  waiting: " + p.Waiting
	case sent > 0 && p.Sent < p.Bytes:
		left := time.Duration(float64(took) / float64(sent) * float64(p.Bytes-p.Sent))
		text += fmt.Sprintf("  %v left", left.Round(time.Second))
	}
	return text
}

func (b *importBar) write(text string) {
	blank := strings.Repeat(" ", max(0, b.length-len(text)))
	fmt.Fprintf(b.out, "\r%s%s", text, blank)
	b.length = len(text)
}

func (b *importBar) end() {
	if b.length > 0 {
		fmt.Fprintln(b.out)
	}
}
