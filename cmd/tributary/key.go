package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tributary/attribution"
	"tributary/catalog"
	"tributary/schema/database"
)

// keyCommand works on the machine's own stores, also while they are served: who
// may read the data directory needs no key.
type keyCommand struct {
	StoreSettings
	Create keyCreateCommand `cmd:"" help:"Make a key and print it, only this once."`
	List   keyListCommand   `cmd:"" help:"List the keys that are not revoked."`
	Revoke keyRevokeCommand `cmd:"" help:"Revoke a key; running processes refuse it within a second."`

	RotateClicks keyRotateClicksCommand `cmd:"" help:"Sign click ids with a new key from now on; those handed out stay valid."`
	MakeSecrets  keyMakeSecretsCommand  `cmd:"" help:"Make the file of secrets that all nodes share (--secrets)."`
}

// AfterApply hands the stores' settings to the sub-verb.
func (k *keyCommand) AfterApply(command *kong.Context) error {
	command.Bind(&k.StoreSettings)
	return nil
}

// operator is the scope of whoever works on the machine itself.
var operator = catalog.Scope{Role: catalog.RoleAdmin}

// withCatalog opens the stores' catalog for one piece of work.
func (s *StoreSettings) withCatalog(ctx context.Context, sources *layers, do func(*catalog.Catalog) error) error {
	options, err := s.Options(sources)
	if err != nil {
		return err
	}
	return withCatalogOf(ctx, options, do)
}

// withCatalogOf opens the catalog of a data directory for one piece of work.
func withCatalogOf(ctx context.Context, options Options, do func(*catalog.Catalog) error) error {
	secrets, err := readSecrets(options.secretsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return noSecretsIn(options.secretsPath())
	}
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, string(options.Database), options.DataDir)
	if err != nil {
		return err
	}
	err = awaitDatabase(ctx, db, options.Database)
	if err == nil {
		err = secrets.register(ctx, db, options.secretsPath())
	}
	if err == nil {
		err = do(catalog.New(db, catalog.Options{Pepper: secrets.KeyPepper}))
	}
	return errors.Join(err, db.Close())
}

type keyCreateCommand struct {
	Role         string        `default:"admin" enum:"admin,advertiser,creator,ingest" help:"What the key may do: ${enum}."`
	AdvertiserID string        `placeholder:"ID" help:"Whose key it is, for roles advertiser and ingest."`
	CreatorID    string        `placeholder:"ID" help:"Whose key it is, for role creator."`
	Name         string        `help:"A name to know it by."`
	ExpiresIn    time.Duration `placeholder:"DURATION" help:"How long it is valid, such as 720h; for ever by default."`
}

// Run prints the new key alone on standard output, for scripts.
func (c *keyCreateCommand) Run(ctx context.Context, t terminal, sources *layers, store *StoreSettings) error {
	fields := catalog.KeyFields{Role: c.Role, AdvertiserID: c.AdvertiserID, CreatorID: c.CreatorID, Name: c.Name}
	if c.ExpiresIn != 0 {
		expires := attribution.InstantOf(time.Now().Add(c.ExpiresIn))
		fields.ExpiresAt = &expires
	}
	return store.withCatalog(ctx, sources, func(things *catalog.Catalog) error {
		key, secret, err := things.CreateKey(ctx, operator, fields)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.Err, "%s key %s; this is the only time it is shown:\n", key.Role, key.ID)
		fmt.Fprintln(t.Out, secret)
		return nil
	})
}

type keyListCommand struct{}

// Run prints one key a line.
func (keyListCommand) Run(ctx context.Context, t terminal, sources *layers, store *StoreSettings) error {
	return store.withCatalog(ctx, sources, func(things *catalog.Catalog) error {
		table := tabwriter.NewWriter(t.Out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tROLE\tNAME\tOF\tCREATED\tLAST USED\tEXPIRES")
		page := catalog.Page{Limit: 1000}
		for {
			list, err := things.Keys(ctx, operator, catalog.KeyFilter{}, page)
			if err != nil {
				return err
			}
			for _, k := range list.Items {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Role, k.Name, k.AdvertiserID+k.CreatorID, k.CreatedAt, orDash(k.LastUsedAt), orDash(k.ExpiresAt))
			}
			if page.Cursor = list.NextCursor; page.Cursor == "" {
				return table.Flush()
			}
		}
	})
}

func orDash(at *attribution.Instant) string {
	if at == nil {
		return "-"
	}
	return at.String()
}

type keyRevokeCommand struct {
	ID string `arg:"" help:"The key's id, as 'tributary key list' shows it."`
}

// Run revokes the key.
func (c *keyRevokeCommand) Run(ctx context.Context, t terminal, sources *layers, store *StoreSettings) error {
	return store.withCatalog(ctx, sources, func(things *catalog.Catalog) error {
		if err := things.ArchiveKey(ctx, operator, c.ID); err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "%s is revoked\n", c.ID)
		return nil
	})
}

type keyRotateClicksCommand struct {
	Prepare bool `help:"Only make the new key: it verifies and does not sign yet. With several nodes, do this first and bring the file to all of them."`
}

// Help is printed below the sub-verb's first line.
func (keyRotateClicksCommand) Help() string {
	return "A running process takes the file up within a second. Several nodes must all know a key before the first of them signs with it: " +
		"'tributary key rotate-clicks --prepare', bring the file to every node, then 'tributary key rotate-clicks' and bring it to every node again."
}

// Run makes a new click key, or has the one that was prepared sign. A running
// process mints under it within a second.
func (c *keyRotateClicksCommand) Run(t terminal, sources *layers, store *StoreSettings) error {
	options, err := store.Options(sources)
	if err != nil {
		return err
	}
	path := options.secretsPath()
	if c.Prepare {
		now, err := changeClickKeys(path, func(s *secrets) (*secrets, error) { return s.prepared(time.Now()) })
		if err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "click key %d verifies and does not sign yet: bring %s to every node, then run 'tributary key rotate-clicks'\n", *now.ClickKeys.Next, path)
		return nil
	}
	now, err := changeClickKeys(path, func(s *secrets) (*secrets, error) { return s.rotated(time.Now()) })
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "click ids are signed with key %d; %d older keys still verify, each for %d days after it was replaced\n",
		now.ClickKeys.Current, len(now.ClickKeys.Keys)-1, int(clickKeyLife.Hours()/24))
	fmt.Fprintf(t.Err, "put the new %s into your backup now, and bring it to every node\n", path)
	return nil
}

type keyMakeSecretsCommand struct {
	File string `arg:"" placeholder:"FILE" help:"Where to; it must not exist. - prints them, for a store of secrets."`
}

// Help is printed below the sub-verb's first line.
func (keyMakeSecretsCommand) Help() string {
	return "They sign click ids and keep API keys and customers unguessable. Every node of an installation is started with the same ones; " +
		"whoever has them can forge clicks. Keep a copy with your backups: without them every click id and API key is void."
}

// Run makes secrets. It refuses to replace any.
func (c *keyMakeSecretsCommand) Run(t terminal) error {
	content, err := newSecrets().encode()
	if err != nil {
		return err
	}
	if c.File == "-" {
		_, err := t.Out.Write(append(content, '\n'))
		return err
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: secrets are never replaced; name another file", c.File)
	}
	if err != nil {
		return fmt.Errorf("make the secrets: %w", err)
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close(), syncDir(filepath.Dir(c.File)))
}
