package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// A CreatorFilter narrows a list of creators.
type CreatorFilter struct {
	Q          string // part of the name, the e-mail or a handle
	Label      string
	Country    string
	CampaignID string // taking part in it
}

const (
	maxSocials       = 40
	maxPayoutDetails = 16 << 10 // bytes of JSON
	oldestBirthYear  = 1900
)

func (f CreatorFields) normal() CreatorFields {
	f.Name, f.Email = strings.TrimSpace(f.Name), strings.TrimSpace(f.Email)
	f.Country = strings.ToUpper(f.Country)
	return f
}

func (f CreatorFields) check(now attribution.Instant) error {
	var c fieldCheck
	c.required("body.name", f.Name, maxName)
	c.email("body.email", f.Email)
	c.country("body.country", f.Country)
	c.text("body.gender", f.Gender, maxWord)
	year := now.Time().Year()
	c.Require(f.BirthYear == 0 || f.BirthYear >= oldestBirthYear && f.BirthYear <= year, "body.birth_year",
		"must be %d to %d", oldestBirthYear, year)
	c.words("body.categories", f.Categories, maxList)
	c.words("body.labels", f.Labels, maxList)
	if f.Timezone != "" {
		c.timezone("body.timezone", f.Timezone)
	}
	details, err := json.Marshal(f.PayoutDetails)
	c.Require(err == nil && len(details) <= maxPayoutDetails, "body.payout_details", "must be at most %d bytes of JSON", maxPayoutDetails)
	c.Require(len(f.Socials) <= maxSocials, "body.socials", "must be at most %d", maxSocials)
	for i, social := range f.Socials[:min(len(f.Socials), maxSocials)] {
		at := indexed("body.socials", i)
		c.platform(at+".platform", social.Platform)
		c.required(at+".handle", social.Handle, maxName)
		c.webURL(at+".url", social.URL)
		c.Require(social.Followers >= 0, at+".followers", "must not be negative")
	}
	return c.Err()
}

func (f CreatorFields) search() string {
	parts := []string{f.Name, f.Email}
	for _, social := range f.Socials {
		parts = append(parts, social.Handle)
	}
	return searchText(parts...)
}

// CreateCreator makes a creator. Only an admin may.
func (c *Catalog) CreateCreator(ctx context.Context, scope Scope, fields CreatorFields) (Creator, error) {
	if !scope.admin() {
		return Creator{}, forbidden(scope, "make creators")
	}
	fields = fields.normal()
	if err := fields.check(c.instant()); err != nil {
		return Creator{}, err
	}
	var made Creator
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		id, err := c.newID(attribution.PrefixCreator, w.at)
		if err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		made = Creator{Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, fields}
		if _, err := w.Exec(ctx, "creator.insert", id, text, fields.Country, elements(fields.Labels), fields.search(), int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "create", "creator", id, "", nil)
	})
	return made, err
}

// Creator finds a creator. An advertiser finds those in its campaigns, without
// their payout details.
func (c *Catalog) Creator(ctx context.Context, scope Scope, id string) (Creator, error) {
	sees, err := c.seesCreator(ctx, scope, id)
	if err != nil {
		return Creator{}, err
	}
	if !sees {
		return Creator{}, notFound("creator", id)
	}
	found, err := scanCreator(c.db.Row(ctx, "creator.by_id", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Creator{}, notFound("creator", id)
	}
	return found.seenBy(scope), err
}

func (c *Catalog) seesCreator(ctx context.Context, scope Scope, id string) (bool, error) {
	if !scope.advertiser() {
		return scope.admin() || scope.creator() && scope.CreatorID == id, nil
	}
	var campaigns int
	if err := c.db.Row(ctx, "creator.works_for", id, scope.AdvertiserID).Scan(&campaigns); err != nil {
		return false, fmt.Errorf("catalog: looking for a creator's campaigns: %w", err)
	}
	return campaigns > 0, nil
}

func (c Creator) seenBy(scope Scope) Creator {
	if scope.advertiser() {
		c.PayoutDetails = nil
	}
	return c
}

// Creators lists the creators that are not archived.
func (c *Catalog) Creators(ctx context.Context, scope Scope, filter CreatorFilter, p Page) (List[Creator], error) {
	given := database.Given{
		"q": contains(filter.Q), "label": element(filter.Label), "country": strings.ToUpper(filter.Country), "campaign_id": filter.CampaignID,
	}
	if !scope.limit(given) {
		return List[Creator]{Items: []Creator{}}, nil
	}
	list, err := page(ctx, c.db, "creator.list", given, p, byID(attribution.PrefixCreator), scanCreator,
		func(r Creator) string { return r.ID })
	for i := range list.Items {
		list.Items[i] = list.Items[i].seenBy(scope)
	}
	return list, err
}

// PatchCreator applies a merge patch. A creator writes its own profile, but not
// the labels it is invited by.
func (c *Catalog) PatchCreator(ctx context.Context, scope Scope, id string, patch []byte) (Creator, error) {
	var now Creator
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Creator(ctx, scope, id)
		if err != nil {
			return err
		}
		if scope.advertiser() {
			return forbidden(scope, "change creators")
		}
		if was.ArchivedAt != nil {
			return archived("creator", id)
		}
		fields, changed, err := merge(was.CreatorFields, patch)
		if err != nil {
			return err
		}
		if scope.creator() && slices.Contains(changed, "labels") {
			return forbidden(scope, "change a creator's labels")
		}
		if fields = fields.normal(); len(changed) == 0 {
			now = was
			return nil
		}
		if err := fields.check(w.at); err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		now = was
		now.CreatorFields, now.UpdatedAt = fields, w.at
		if _, err := w.Exec(ctx, "creator.update", id, text, fields.Country, elements(fields.Labels), fields.search(), int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "update", "creator", id, "", changed)
	})
	return now, err
}

// ArchiveCreator takes a creator out of lists and of new work. Its links go on
// redirecting. Only an admin may.
func (c *Catalog) ArchiveCreator(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.Creator(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if !scope.admin() {
			return forbidden(scope, "archive creators")
		}
		if _, err := w.Exec(ctx, "creator.archive", id, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "archive", "creator", id, "", nil)
	})
}

func scanCreator(row scanner) (Creator, error) {
	var r Creator
	var text string
	if err := scanFrame(row, &r.Frame, &text); err != nil {
		return r, err
	}
	return r, decode(text, &r.CreatorFields)
}
