package main

import (
	"context"
	"fmt"

	"tributary/catalog"
	"tributary/ingest/agent"
)

// ensureAdminKey makes the platform admin key that was given, or one of its own
// when there is none at all: after the very first start, and after one that was
// cut short before its key was printed.
func (a *app) ensureAdminKey(ctx context.Context, _ appConfig) error {
	if a.options.AdminKey != "" {
		if err := a.things.EnsureAdminKey(ctx, string(a.options.AdminKey)); err != nil {
			return fmt.Errorf("%s: %w", adminKeyVariable, err)
		}
		return nil
	}
	admins, err := a.things.Keys(ctx, operator, catalog.KeyFilter{Role: catalog.RoleAdmin}, catalog.Page{Limit: 1})
	if err != nil || len(admins.Items) > 0 {
		return err
	}
	_, a.newKey, err = a.things.CreateKey(ctx, operator, catalog.KeyFields{Role: catalog.RoleAdmin, Name: "first admin key"})
	return err
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
		fmt.Fprintf(a.out, "  admin key        %s\n                   shown this once; 'tributary key create' makes another\n", key)
	}
	if a.adminListener != nil {
		origin := "http://" + a.adminListener.Addr().String()
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
