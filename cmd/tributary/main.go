package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // campaigns have time zones, containers often have none

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // flags or settings that cannot be used
)

// cli is the command line.
type cli struct {
	Serve      serveCommand      `cmd:"" help:"Run the tracker and the API."`
	Key        keyCommand        `cmd:"" help:"Make, list and revoke API keys on this machine."`
	Doctor     doctorCommand     `cmd:"" help:"Check settings, stores, disk, clock and databases, and say what to do."`
	Audit      auditCommand      `cmd:"" help:"Add up clicks, reports and money, and say what differs."`
	Drain      drainCommand      `cmd:"" help:"Empty a node that goes away: ship every click, settle every order, whether or not it is being served."`
	Nodes      nodesCommand      `cmd:"" help:"List the nodes of an installation, and forget one that is lost."`
	Backup     backupCommand     `cmd:"" help:"Write a backup of a data directory, also while it is served."`
	Restore    restoreCommand    `cmd:"" help:"Put a backup into an empty data directory."`
	Migrate    migrateCommand    `cmd:"" help:"Move what is stored to a ClickHouse or PostgreSQL server."`
	Reclassify reclassifyCommand `cmd:"" help:"Judge stored hits again by the current verdict rules."`
	Erase      eraseCommand      `cmd:"" help:"Erase a customer or a visitor from every store."`
	Replay     replayCommand     `cmd:"" help:"Put quarantined clicks back into the spool."`
	Import     importCommand     `cmd:"" help:"Import a CSV file of conversions into a running server."`
	Loadgen    loadgenCommand    `cmd:"" help:"Send clicks at a steady rate and measure the answers."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Docs       docsCommand       `cmd:"" hidden:"" help:"Print a generated reference."`
}

// A terminal is where a verb reads and writes, and what it was called with.
type terminal struct {
	Args     []string
	Out, Err io.Writer
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == engineVerb {
		os.Exit(runEngine(os.Args[2:]))
	}
	os.Exit(run(terminal{Args: os.Args[1:], Out: os.Stdout, Err: os.Stderr}))
}

// run executes one command line and returns its exit code.
func run(t terminal) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	_, command, err := parseInto(&cli{}, t)
	if err != nil {
		return report(t, err)
	}
	if command == nil {
		return exitOK // help was asked for and printed
	}
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(t)
	return report(t, command.Run())
}

// parseInto reads the command line, and environment and file for what it left
// out. It returns no command after printing help.
func parseInto(target *cli, t terminal) (*layers, *kong.Context, error) {
	helped := false
	sources := newLayers()
	parser, err := kong.New(target,
		kong.Name("tributary"),
		kong.Description("Self-hosted tracking and attribution for creator campaigns.\n\n"+
			"A setting of serve is a flag, an environment variable (--base-url is TRIBUTARY_BASE_URL) and a key of --config FILE (base-url: …). "+
			"The flag wins over the variable, the variable over the file."),
		kong.Writers(t.Out, t.Err),
		kong.Exit(func(int) { helped = true }),
		kong.ValueFormatter(helpWithDefault),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Resolvers(sources),
		kong.Bind(sources),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("command line grammar: %w", err)
	}
	args := t.Args
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if helped {
		return nil, nil, nil
	}
	return sources, command, err
}

// helpWithDefault is a flag's help, and what it is when left out.
func helpWithDefault(value *kong.Value) string {
	if value.Default == "" {
		return value.Help
	}
	return value.Help + " Default: " + value.Default + "."
}

// report prints an error the way an operator can act on and returns the exit code.
func report(t terminal, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(t.Err, "tributary: %v\n", err)
	var usage *kong.ParseError
	var settings BadSettings
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(t.Err, "'tributary --help' lists the commands, 'tributary COMMAND --help' their flags.")
		return exitUsage
	case errors.As(err, &settings):
		return exitUsage
	default:
		return exitFailed
	}
}
