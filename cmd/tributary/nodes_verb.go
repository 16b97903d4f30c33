package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tributary/schema/database"
)

// nodesCommand is about the nodes of an installation that has several.
type nodesCommand struct {
	StoreSettings
	List   nodesListCommand   `cmd:"" help:"List the nodes, when each was heard of and what waits on its disk."`
	Forget nodesForgetCommand `cmd:"" help:"Forget a node whose disk is lost for good: reports and payments per click no longer wait for it."`
}

// AfterApply hands the stores' settings to the sub-verb.
func (n *nodesCommand) AfterApply(command *kong.Context) error {
	command.Bind(&n.StoreSettings)
	return nil
}

// withDatabase opens the installation's database for one piece of work.
func (s *StoreSettings) withDatabase(ctx context.Context, sources *layers, do func(*database.DB) error) error {
	options, err := s.Options(sources)
	if err != nil {
		return err
	}
	if options.Database == "" {
		return errors.New("--database embedded: a node with a database of its own is alone")
	}
	db, err := database.Open(ctx, string(options.Database), options.DataDir)
	if err != nil {
		return err
	}
	if err = awaitDatabase(ctx, db, options.Database); err == nil {
		err = do(db)
	}
	return errors.Join(err, db.Close())
}

type nodesListCommand struct{}

// Run prints one node a line.
func (nodesListCommand) Run(ctx context.Context, t terminal, sources *layers, store *StoreSettings) error {
	return store.withDatabase(ctx, sources, func(db *database.DB) error {
		nodes, err := allNodes(ctx, db)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(t.Out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tMACHINE\tROLES\tHEARD OF\tCLICKS WAIT\tREPORTS WAIT\tSTATE")
		for i := range nodes {
			n := &nodes[i]
			state := "alive"
			switch {
			case n.gone():
				state = "stopped, empty"
			case n.silent(time.Now()):
				state = "silent: reports reach no further than it did"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", n.ID, n.Machine, n.Roles, time.UnixMilli(n.SeenMs).UTC().Format(time.RFC3339), n.ClicksWaiting, n.ReportsWaiting, state)
		}
		return table.Flush()
	})
}

type nodesForgetCommand struct {
	ID string `arg:"" help:"The node's id, as 'tributary nodes list' shows it."`
}

// Run forgets the node. One that lives is known again within a second.
func (c *nodesForgetCommand) Run(ctx context.Context, t terminal, sources *layers, store *StoreSettings) error {
	return store.withDatabase(ctx, sources, func(db *database.DB) error {
		return db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
			forgotten, err := tx.Exec(ctx, "node.forget", c.ID)
			if err == nil && forgotten == 0 {
				err = fmt.Errorf("there is no node %s: 'tributary nodes list' shows those there are", c.ID)
			}
			if err == nil {
				fmt.Fprintf(t.Out, "%s is forgotten: clicks and reports that lie on its disk alone are not waited for\n", c.ID)
			}
			return err
		})
	})
}
