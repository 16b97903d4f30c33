package main

import (
	"context"
	"fmt"

	"tributary/catalog"
	"tributary/ingest/agent"
	"tributary/schema/database"
)

// ensureAdminKey sees to it that there is a platform admin key, now or as soon as
// the database is there. A node that is a tracker alone needs none.
func (a *app) ensureAdminKey(ctx context.Context, _ appConfig) (err error) {
	if !a.options.Admin {
		return nil
	}
	select {
	case <-a.db.Migrated():
		if a.newKey, err = a.adminKey(ctx); !database.Unavailable(err) {
			return err
		}
	default:
	}
	a.life.background("admin key", func(ctx context.Context) {
		if a.db.Await(ctx) != nil {
			return
		}
		key := ""
		a.until(ctx, registerAgain, "there may be no admin key; it is tried again", func(ctx context.Context) (err error) {
			key, err = a.adminKey(ctx)
			return err
		})
		if key != "" {
			fmt.Fprintf(a.out, adminKeyLines, key)
		}
	})
	return nil
}

// adminKeyLines print a new key.
const adminKeyLines = "  admin key        %s\n                   shown this once; 'tributary key create' makes another\n"

// adminKey makes the platform admin key that was given, or one of its own when
// there is none at all: after the very first start, and after one that was cut
// short before its key was printed. Of several nodes that start at once, one does.
func (a *app) adminKey(ctx context.Context) (made string, err error) {
	if a.options.AdminKey != "" {
		if err := a.things.EnsureAdminKey(ctx, string(a.options.AdminKey)); err != nil {
			return "", fmt.Errorf("%s: %w", adminKeyVariable, err)
		}
		return "", nil
	}
	err = a.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		made = ""
		var turn int64 // the counter's row is taken by one node at a time
		if err := tx.Row(ctx, "number.take", 0, "change").Scan(&turn); err != nil {
			return fmt.Errorf("take turns at the admin key: %w", err)
		}
		admins, err := a.things.Keys(ctx, operator, catalog.KeyFilter{Role: catalog.RoleAdmin}, catalog.Page{Limit: 1})
		if err != nil || len(admins.Items) > 0 {
			return err
		}
		_, made, err = a.things.CreateKey(ctx, operator, catalog.KeyFields{Role: catalog.RoleAdmin, Name: "first admin key"})
		return err
	})
	return made, err
}

// greet tells the operator where everything is. The admin key is printed once,
// to standard output and never to the log.
func (a *app) greet() {
	fmt.Fprintf(a.out, "Tributary %s is running.\n\n", version)
	if a.trackerListener != nil {
		fmt.Fprintf(a.out, "  tracking links   %s/…, served on %s\n", a.options.BaseURL, a.trackerListener.Addr())
	}
	key := "$TRIBUTARY_ADMIN_KEY"
	if a.newKey != "" {
		key = a.newKey
		fmt.Fprintf(a.out, adminKeyLines, key)
	}
	origin := "http://" + a.adminListener.Addr().String()
	if !a.options.Admin {
		fmt.Fprintf(a.out, "  metrics, health  %s/metrics, %s/readyz\n", origin, origin)
	} else {
		fmt.Fprintf(a.out, "  dashboard        %s/, sign in with the admin key\n", origin)
		fmt.Fprintf(a.out, "  API and docs     %s/docs\n", origin)
		fmt.Fprintf(a.out, "  a report         curl -H 'Authorization: Bearer %s' '%s/v1/reports/campaigns'\n", key, origin)
	}
	if a.options.ClickhouseListen != "" {
		fmt.Fprintf(a.out, "  ClickHouse       http://%s/, read-only\n", a.options.ClickhouseListen)
	}
	if a.options.Demo {
		a.greetDemo()
	}
	fmt.Fprintln(a.out)
}

// describeAgent is what rules that target devices ask about a shopper.
func describeAgent(userAgent string) (device, os string) {
	described := agent.Describe(userAgent)
	return described.Device, described.OS
}
