package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"tributary/cmd/tributary/loadgen"
)

type loadgenCommand struct {
	URL         []string      `name:"url" placeholder:"URL" help:"Tracking links to click, of one host. May be given several times."`
	Rate        float64       `default:"1000" help:"Clicks a second, whether or not earlier ones were answered."`
	Duration    time.Duration `default:"10s" help:"How long to send."`
	Connections int           `default:"64" help:"Connections kept open."`
	Visitors    int           `default:"10000" help:"Different requests: user agents, referrers and addresses in X-Forwarded-For."`
	Timeout     time.Duration `default:"10s" help:"Longest to wait for an answer."`
	Remote      bool          `help:"Allow a host that is not this machine."`
	JSON        bool          `name:"json" help:"Print the result as JSON."`
}

// Help is printed below the verb's first line.
func (loadgenCommand) Help() string {
	return "Latency is measured from the time each click was due, so that a server that stalls cannot hide it. " +
		"The addresses in X-Forwarded-For count when the tracker runs with --trusted-proxies 127.0.0.0/8."
}

// Run sends the load and prints what was measured.
func (c *loadgenCommand) Run(ctx context.Context, t terminal) error {
	var progress func(time.Duration, uint64)
	if stderr, isFile := t.Err.(*os.File); isFile && isatty.IsTerminal(stderr.Fd()) {
		progress = func(elapsed time.Duration, sent uint64) {
			fmt.Fprintf(stderr, "\r%3.0f s of %.0f s, %d sent", elapsed.Seconds(), c.Duration.Seconds(), sent)
		}
	}
	result, err := loadgen.Run(ctx, loadgen.Options{
		URLs: c.URL, Rate: c.Rate, Duration: c.Duration, Connections: c.Connections,
		Visitors: c.Visitors, Timeout: c.Timeout, Remote: c.Remote,
	}, progress)
	if err != nil {
		return err
	}
	if progress != nil {
		fmt.Fprintln(t.Err)
	}
	if c.JSON {
		encoder := json.NewEncoder(t.Out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(result); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	} else {
		result.WriteTable(t.Out)
	}
	if failed := result.Failed(); failed > 0 {
		return fmt.Errorf("%d of %d clicks got no answer", failed, result.Due)
	}
	return nil
}
