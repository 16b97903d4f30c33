package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"tributary/admin/erasures"
	"tributary/attribution"
	"tributary/catalog"
)

type eraseCommand struct {
	Settings
	Advertiser   string `placeholder:"ID" help:"Whose customer it is."`
	Customer     string `placeholder:"ID" help:"A customer id or e-mail address, as the shop reported it; - reads it from standard input, so that no history of commands keeps it."`
	CustomerHash string `placeholder:"HASH" help:"The hash that is kept of a customer id: h_ and 32 digits."`
	Click        string `placeholder:"ID" help:"A click id of the visitor to erase."`
	Apply        bool   `help:"Erase; without it, only count."`
	URL          string `name:"url" placeholder:"URL" help:"The API of the running process; http://ADMIN-ADDR by default."`
}

// Help is printed below the verb's first line.
func (eraseCommand) Help() string {
	return "Erases a customer or a visitor from every store of the process that serves the data directory, which is asked by a key that is valid " +
		"for minutes. Figures stay what they are. What is waiting elsewhere, in exports, other systems and backups, is yours to erase: " +
		"docs/privacy.md says where. An erasure that was begun is finished by the server, whatever happens to this command."
}

// Run counts, or erases and waits until it is done.
func (c *eraseCommand) Run(ctx context.Context, t terminal, sources *layers) error {
	options, err := c.Options(sources)
	if err != nil {
		return err
	}
	if c.Customer == "-" {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the customer from standard input: %w", err)
		}
		c.Customer = strings.TrimSpace(line)
	}
	base := c.URL
	if base == "" {
		base = "http://" + localAddress(options.AdminAddr)
	}
	asked := erasures.Subject{AdvertiserID: c.Advertiser, CustomerID: c.Customer, CustomerHash: c.CustomerHash, ClickID: c.Click, DryRun: new(!c.Apply)}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return withCatalogOf(ctx, options, func(things *catalog.Catalog) (err error) {
		expires := attribution.InstantOf(time.Now().Add(askTimeout))
		key, secret, err := things.CreateKey(ctx, operator, catalog.KeyFields{Role: catalog.RoleAdmin, Name: "erase", ExpiresAt: &expires})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, things.ArchiveKey(context.WithoutCancel(ctx), operator, key.ID)) }()
		return askToErase(ctx, t, base, secret, asked)
	})
}

// How often a pending erasure is asked for, and how long it may take.
const (
	erasePoll  = time.Second
	askTimeout = 15 * time.Minute
)

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

// askToErase has the process at base erase somebody, and says how it went.
func askToErase(ctx context.Context, t terminal, base, secret string, asked erasures.Subject) error {
	content, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	var e erasures.Erasure
	if err := askAPI(ctx, http.MethodPost, base, "/v1/erasures", secret, content, &e); err != nil {
		return err
	}
	said := ""
	for e.State == "pending" {
		if e.Problem != nil && *e.Problem != said {
			said = *e.Problem
			fmt.Fprintf(t.Err, "%s waits: %s\n", e.ID, said)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not done yet; the server goes on with it: GET /v1/erasures/%s", e.ID, e.ID)
		case <-time.After(erasePoll):
		}
		if err := askAPI(ctx, http.MethodGet, base, "/v1/erasures/"+e.ID, secret, nil, &e); err != nil {
			return err
		}
	}
	for _, store := range slices.Sorted(maps.Keys(e.Found)) {
		fmt.Fprintf(t.Out, "%s: %d\n", store, e.Found[store])
	}
	switch {
	case e.State == "done":
		fmt.Fprintf(t.Out, "%s: the %s is erased\n", e.ID, e.Kind)
	case len(e.Found) == 0:
		fmt.Fprintf(t.Out, "nothing is kept of this %s\n", e.Kind)
	default:
		fmt.Fprintln(t.Out, "nothing was changed; --apply erases")
	}
	return nil
}

// askAPI sends one request to a running process's API.
func askAPI(ctx context.Context, method, base, path, secret string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the process that serves the data directory is not reached at %s: start it, or name its admin address with --url: %w", base, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxControlAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %.500s", base, response.Status, content)
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return fmt.Errorf("%s does not answer like Tributary's API: is --url its admin address? %w", base, err)
	}
	return nil
}
