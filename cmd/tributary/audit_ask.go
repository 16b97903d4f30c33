package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"tributary/admin/money"
	"tributary/attribution"
	"tributary/catalog"
)

// How long the process that serves the data directory may take, and its answer be.
const (
	askTimeout     = 15 * time.Minute
	maxAuditAnswer = 64 << 20
)

// ask has the process that serves the data directory do the audit. Who may read
// the directory may ask: a key is made for it that ends with it.
func (c *auditCommand) ask(ctx context.Context, t terminal, o Options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	base := c.URL
	if base == "" {
		base = "http://" + localAddress(o.AdminAddr)
	}
	return withCatalogOf(ctx, o, func(things *catalog.Catalog) (err error) {
		fields := catalog.KeyFields{Role: catalog.RoleAdmin, Name: "audit"}
		if !o.Sandbox { // whose clock may be anywhere
			expires := attribution.InstantOf(time.Now().Add(askTimeout))
			fields.ExpiresAt = &expires
		}
		key, secret, err := things.CreateKey(ctx, operator, fields)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, revoke(context.WithoutCancel(ctx), things, key.ID)) }()
		found, err := askFor(ctx, base, secret)
		if err != nil {
			return err
		}
		return tellAudit(t.Out, found)
	})
}

// How often a key is revoked when the database is busy: each try waits for its turn
// by itself, for seconds.
const (
	revokeTries = 5
	revokePause = 200 * time.Millisecond
)

// revoke revokes the key of an audit. A process under load may keep another from
// writing for longer than one try waits.
func revoke(ctx context.Context, things *catalog.Catalog, key string) (err error) {
	for try := 1; ; try++ {
		if err = things.ArchiveKey(ctx, operator, key); err == nil {
			return nil
		}
		if try == revokeTries {
			return fmt.Errorf("the audit's key %s is valid for %s still; revoke it with 'tributary key revoke': %w", key, askTimeout, err)
		}
		time.Sleep(revokePause)
	}
}

// localAddress is where this machine reaches a listener's address.
func localAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func askFor(ctx context.Context, base, secret string) (*money.Audit, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/v1/audit", nil)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the data directory is in use, and the process is not reached at %s: name its admin address with --url: %w", base, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAuditAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	found := &money.Audit{}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %.500s", base, response.Status, body)
	}
	if err := json.Unmarshal(body, found); err != nil {
		return nil, fmt.Errorf("%s does not answer like Tributary's API: is --url its admin address? %w", base, err)
	}
	return found, nil
}
