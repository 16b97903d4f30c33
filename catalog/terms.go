package catalog

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// PrefixTermsTemplate begins the identifiers of terms templates.
const PrefixTermsTemplate = "trm_"

// TermsTemplateFields are what a client writes of a terms template.
type TermsTemplateFields struct {
	Name  string             `json:"name" example:"10 % of sales, paid monthly"`
	Terms *attribution.Terms `json:"terms"`
}

// A TermsTemplate is a set of terms campaigns are made from. Campaigns keep the
// terms they were made with when the template changes.
type TermsTemplate struct {
	Frame
	TermsTemplateFields
}

// A TermsTemplateFilter narrows a list of templates; there is nothing to narrow by yet.
type TermsTemplateFilter struct{}

// check checks a template. Amounts are checked again, in the campaign's own
// currency, when a campaign is made from it; here as wide as any currency has.
func (f TermsTemplateFields) check() error {
	var c fieldCheck
	c.required("body.name", f.Name, maxName)
	if f.Terms == nil {
		c.Add("body.terms", "is required")
	} else {
		f.Terms.Check(&c.Checker, "body.terms", widestCurrency)
	}
	return c.Err()
}

// widestCurrency has four decimals, as many as any.
const widestCurrency = "CLF"

func (f TermsTemplateFields) normal() TermsTemplateFields {
	f.Name = strings.TrimSpace(f.Name)
	if f.Terms != nil {
		f.Terms = new(f.Terms.WithDefaults())
	}
	return f
}

// CreateTermsTemplate makes a template. Only an admin may.
func (c *Catalog) CreateTermsTemplate(ctx context.Context, scope Scope, fields TermsTemplateFields) (TermsTemplate, error) {
	if !scope.admin() {
		return TermsTemplate{}, forbidden(scope, "make terms templates")
	}
	if err := fields.check(); err != nil {
		return TermsTemplate{}, err
	}
	fields = fields.normal()
	var made TermsTemplate
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		id, err := c.newID(PrefixTermsTemplate, w.at)
		if err != nil {
			return err
		}
		text, err := encode(fields)
		if err != nil {
			return err
		}
		made = TermsTemplate{Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}, fields}
		if _, err := w.Exec(ctx, "terms_template.insert", id, text, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "create", "terms_template", id, "", nil)
	})
	return made, err
}

// TermsTemplate finds a template. Admins and advertisers see every template.
func (c *Catalog) TermsTemplate(ctx context.Context, scope Scope, id string) (TermsTemplate, error) {
	if !scope.admin() && !scope.advertiser() {
		return TermsTemplate{}, notFound("terms template", id)
	}
	found, err := scanTermsTemplate(c.db.Row(ctx, "terms_template.by_id", id))
	if errors.Is(err, sql.ErrNoRows) {
		return TermsTemplate{}, notFound("terms template", id)
	}
	return found, err
}

// TermsTemplates lists the templates that are not archived.
func (c *Catalog) TermsTemplates(ctx context.Context, scope Scope, _ TermsTemplateFilter, p Page) (List[TermsTemplate], error) {
	if !scope.admin() && !scope.advertiser() {
		return List[TermsTemplate]{Items: []TermsTemplate{}}, nil
	}
	return page(ctx, c.db, "terms_template.list", database.Given{}, p, byID(PrefixTermsTemplate), scanTermsTemplate,
		func(t TermsTemplate) string { return t.ID })
}

// PatchTermsTemplate applies a merge patch. Only an admin may.
func (c *Catalog) PatchTermsTemplate(ctx context.Context, scope Scope, id string, patch []byte) (TermsTemplate, error) {
	var now TermsTemplate
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.TermsTemplate(ctx, scope, id)
		switch {
		case err != nil:
			return err
		case !scope.admin():
			return forbidden(scope, "change terms templates")
		case was.ArchivedAt != nil:
			return archived("terms template", id)
		}
		fields, changed, err := merge(was.TermsTemplateFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		if err := fields.check(); err != nil {
			return err
		}
		now.TermsTemplateFields, now.UpdatedAt = fields.normal(), w.at
		text, err := encode(now.TermsTemplateFields)
		if err != nil {
			return err
		}
		if _, err := w.Exec(ctx, "terms_template.update", id, text, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "update", "terms_template", id, "", changed)
	})
	return now, err
}

// ArchiveTermsTemplate takes a template out of lists and of new campaigns. Only
// an admin may.
func (c *Catalog) ArchiveTermsTemplate(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.TermsTemplate(ctx, scope, id)
		if err != nil || was.ArchivedAt != nil {
			return err
		}
		if !scope.admin() {
			return forbidden(scope, "archive terms templates")
		}
		if _, err := w.Exec(ctx, "terms_template.archive", id, int64(w.at)); err != nil {
			return err
		}
		return w.audit(ctx, "archive", "terms_template", id, "", nil)
	})
}

func scanTermsTemplate(row scanner) (TermsTemplate, error) {
	var t TermsTemplate
	var text string
	if err := scanFrame(row, &t.Frame, &text); err != nil {
		return t, err
	}
	return t, decode(text, &t.TermsTemplateFields)
}

// chooseTerms puts a template's terms into the fields of a campaign, when it is
// the template that is given.
func (c *Catalog) chooseTerms(ctx context.Context, check *fieldCheck, fields *CampaignFields, byTerms, byTemplate bool) error {
	switch {
	case byTerms && byTemplate:
		check.Add("body.terms_template_id", "does not go with terms: give one of them")
		return nil
	case byTerms:
		fields.TermsTemplateID = ""
		return nil
	case fields.TermsTemplateID == "" || !byTemplate && fields.Terms != nil:
		return nil
	}
	template, err := scanTermsTemplate(c.db.Row(ctx, "terms_template.by_id", fields.TermsTemplateID))
	if isNot(err, sql.ErrNoRows) {
		return err
	}
	if err != nil || template.ArchivedAt != nil {
		check.Add("body.terms_template_id", "there is no terms template %.64q", fields.TermsTemplateID)
		return nil
	}
	fields.Terms = template.Terms
	return nil
}
