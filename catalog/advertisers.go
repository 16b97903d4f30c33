package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// An AdvertiserFilter narrows a list of advertisers.
type AdvertiserFilter struct {
	Q string // part of the name
}

// defaultClickParam carries the click id unless the advertiser wants another.
const defaultClickParam = "tcid"

func (f AdvertiserFields) normal() AdvertiserFields {
	f.Name = strings.TrimSpace(f.Name)
	f.Domains = lower(f.Domains)
	f.ClickParam = orDefault(f.ClickParam, defaultClickParam)
	f.MinPayout = inForm(f.MinPayout, f.Currency)
	return f
}

func (f AdvertiserFields) check() error {
	var c fieldCheck
	c.required("body.name", f.Name, maxName)
	c.currency("body.currency", f.Currency)
	c.timezone("body.timezone", f.Timezone)
	c.hosts("body.domains", f.Domains)
	c.Require(validClickParam(f.ClickParam), "body.click_param",
		"must be 1 to 40 of A-Z a-z 0-9 _ -, and not a parameter of tracking links (u, _test, sub1 to sub5)")
	c.money("body.min_payout", f.MinPayout, f.Currency)
	f.FraudRules.Check(&c.Checker, "body.fraud_rules")
	return c.Err()
}

func validClickParam(name string) bool {
	switch name {
	case "u", "_test", "sub1", "sub2", "sub3", "sub4", "sub5":
		return false
	}
	return name != "" && len(name) <= 40 && strings.Trim(name, base62+"_-") == ""
}

// FirstAdvertiserAt is when the first advertiser was made, 0 without one. Nothing
// was received before. It asks for no scope: it says how far reports reach.
func (c *Catalog) FirstAdvertiserAt(ctx context.Context) (attribution.Instant, error) {
	var at int64
	if err := c.db.Row(ctx, "advertiser.first_at").Scan(&at); err != nil {
		return 0, fmt.Errorf("catalog: reading when the first advertiser was made: %w", err)
	}
	return attribution.Instant(at), nil
}

// CreateAdvertiser makes an advertiser. Only an admin may.
func (c *Catalog) CreateAdvertiser(ctx context.Context, scope Scope, fields AdvertiserFields) (Advertiser, error) {
	if !scope.admin() {
		return Advertiser{}, forbidden(scope, "make advertisers")
	}
	fields = fields.normal()
	if err := fields.check(); err != nil {
		return Advertiser{}, err
	}
	var made Advertiser
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		id, err := c.newID(attribution.PrefixAdvertiser, w.at)
		if err != nil {
			return err
		}
		public, err := c.entropy.text(base62, 24)
		if err != nil {
			return err
		}
		made = Advertiser{Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, fields, "pub_" + public}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		if _, err := w.Exec(ctx, "advertiser.insert", id, text, made.PublicKey, searchText(fields.Name), int64(w.at), w.number); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "create", "advertiser", id, id, nil)
	})
	return made, err
}

// Advertiser finds an advertiser.
func (c *Catalog) Advertiser(ctx context.Context, scope Scope, id string) (Advertiser, error) {
	if !scope.manages(id) {
		return Advertiser{}, notFound("advertiser", id)
	}
	found, err := scanAdvertiser(c.db.Row(ctx, "advertiser.by_id", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Advertiser{}, notFound("advertiser", id)
	}
	return found, err
}

// Advertisers lists the advertisers that are not archived.
func (c *Catalog) Advertisers(ctx context.Context, scope Scope, filter AdvertiserFilter, p Page) (List[Advertiser], error) {
	given := database.Given{"q": contains(filter.Q)}
	if !scope.limit(given) || scope.creator() {
		return List[Advertiser]{Items: []Advertiser{}}, nil
	}
	return page(ctx, c.db, "advertiser.list", given, p, byID(attribution.PrefixAdvertiser), scanAdvertiser,
		func(a Advertiser) string { return a.ID })
}

// PatchAdvertiser applies a merge patch.
func (c *Catalog) PatchAdvertiser(ctx context.Context, scope Scope, id string, patch []byte) (Advertiser, error) {
	var now Advertiser
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.liveAdvertiser(ctx, scope, id)
		if err != nil {
			return err
		}
		fields, changed, err := merge(was.AdvertiserFields, patch)
		if err != nil {
			return err
		}
		if fields = fields.normal(); len(changed) == 0 {
			now = was
			return nil
		}
		if err := fields.check(); err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		now = was
		now.AdvertiserFields, now.UpdatedAt = fields, w.at
		if _, err := w.Exec(ctx, "advertiser.update", id, text, searchText(fields.Name), int64(w.at), w.number); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "update", "advertiser", id, id, changed)
	})
	return now, err
}

// ArchiveAdvertiser takes an advertiser out of lists and of new work. Its links
// go on redirecting. Only an admin may.
func (c *Catalog) ArchiveAdvertiser(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Advertiser(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if !scope.admin() {
			return forbidden(scope, "archive advertisers")
		}
		if _, err := w.Exec(ctx, "advertiser.archive", id, int64(w.at), w.number); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "archive", "advertiser", id, id, nil)
	})
}

// liveAdvertiser finds an advertiser that is not archived, to be changed.
func (c *Catalog) liveAdvertiser(ctx context.Context, scope Scope, id string) (Advertiser, error) {
	found, err := c.Advertiser(ctx, scope, id)
	if err == nil && found.ArchivedAt != nil {
		return found, archived("advertiser", id)
	}
	return found, err
}

func archived(thing, id string) error { return conflict("%s %s is archived", thing, id) }

func scanAdvertiser(row scanner) (Advertiser, error) {
	var a Advertiser
	var text string
	if err := scanFrame(row, &a.Frame, &text, &a.PublicKey); err != nil {
		return a, err
	}
	return a, decode(text, &a.AdvertiserFields)
}

// scanFrame reads a thing's frame, which comes first in every query, and what
// follows it.
func scanFrame(row scanner, f *Frame, rest ...any) error {
	var created, updated, archived int64
	if err := row.Scan(append([]any{&f.ID, &created, &updated, &archived}, rest...)...); err != nil {
		return fmt.Errorf("catalog: reading a row: %w", err)
	}
	f.CreatedAt, f.UpdatedAt, f.ArchivedAt = attribution.Instant(created), attribution.Instant(updated), attribution.InstantOrNil(archived)
	return nil
}
