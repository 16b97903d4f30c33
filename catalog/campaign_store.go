package catalog

import (
	"context"

	"tributary/attribution"
)

// campaignColumns are the columns that repeat what queries and the ledger need
// of a campaign's fields.
type campaignColumns struct {
	fields                 string // without terms, which have versions
	platforms, search      string
	budgetMinor, maxPayout *int64
	budgetMode             string
	margin, agency         int64
}

func (f CampaignFields) columns() (campaignColumns, error) {
	stored := f
	stored.Terms = nil
	text, err := encode(stored)
	columns := campaignColumns{
		fields: text, platforms: elements(f.Platforms), search: campaignSearch(f), margin: int64(parsedRate(f.MarginRate)), agency: int64(parsedRate(f.AgencyMarginRate)),
	}
	if f.Budget != nil {
		columns.budgetMinor, columns.budgetMode = new(minor(f.Budget.Amount, f.Currency)), f.Budget.Mode
	}
	if f.MaxCreatorPayout != "" {
		columns.maxPayout = new(minor(f.MaxCreatorPayout, f.Currency))
	}
	return columns, err
}

// insertCampaign writes a new campaign, its first terms and its first state.
func (w *writing) insertCampaign(ctx context.Context, r *campaignRow) error {
	columns, err := r.columns()
	if err != nil {
		return err
	}
	_, err = w.Exec(ctx, "campaign.insert", r.ID, r.AdvertiserID, columns.fields, r.Kind, columns.platforms, r.Visibility, r.Currency,
		r.Timezone, columns.search, int64(r.StartsAt), int64(r.EndsAt), columns.budgetMinor, columns.budgetMode, columns.maxPayout,
		columns.margin, columns.agency, r.Destination, flag(*r.Tracking), int64(w.at), w.number)
	if err != nil {
		return err
	}
	if err := w.insertTerms(ctx, r); err != nil {
		return err
	}
	return w.recordState(ctx, r, "created")
}

// updateCampaign writes a changed campaign, and its terms and state where they
// differ from what was.
func (w *writing) updateCampaign(ctx context.Context, was campaignRow, r *campaignRow) error {
	changed, err := differences(*was.Terms, *r.Terms)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		r.TermsVersion++
		if err := w.insertTerms(ctx, r); err != nil {
			return err
		}
	}
	columns, err := r.columns()
	if err != nil {
		return err
	}
	_, err = w.Exec(ctx, "campaign.update", r.ID, columns.fields, r.Kind, columns.platforms, r.Visibility, r.Timezone, columns.search,
		int64(r.StartsAt), int64(r.EndsAt), columns.budgetMinor, columns.budgetMode, columns.maxPayout, columns.margin, columns.agency,
		r.Destination, flag(*r.Tracking), r.TermsVersion, int64(w.at), w.number)
	if err != nil || was.StartsAt == r.StartsAt && was.EndsAt == r.EndsAt {
		return err
	}
	if err := w.recordState(ctx, r, "rescheduled"); err != nil {
		return err
	}
	return w.tellCampaign(ctx, r)
}

func (w *writing) insertTerms(ctx context.Context, r *campaignRow) error {
	terms, err := encode(r.Terms)
	if err != nil {
		return err
	}
	_, err = w.Exec(ctx, "campaign.insert_terms", r.ID, r.TermsVersion, int64(w.at), terms)
	return err
}

// recordState adds the campaign's present state to its history.
func (w *writing) recordState(ctx context.Context, r *campaignRow, event string) error {
	state := r.state()
	_, err := w.Exec(ctx, "campaign.insert_event", r.ID, w.number, int64(w.at), event, flag(state.Approved), flag(state.Paused),
		flag(state.Closed), state.StartsAtMs, state.EndsAtMs)
	return err
}

// setState writes what a person decided about a campaign.
func (w *writing) setState(ctx context.Context, r *campaignRow, verb, event string) error {
	r.UpdatedAt = w.at
	_, err := w.Exec(ctx, "campaign.set_state", r.ID, orZero(r.ApprovedAt), orZero(r.PausedAt), orZero(r.ClosedAt), orZero(r.ArchivedAt),
		int64(w.at), w.number)
	if err != nil {
		return err
	}
	if err := w.recordState(ctx, r, event); err != nil {
		return err
	}
	if err := w.tellCampaign(ctx, r); err != nil {
		return err
	}
	w.announce()
	return w.audit(ctx, verb, "campaign", r.ID, r.AdvertiserID, nil)
}

// ApproveCampaign takes a campaign out of draft.
func (c *Catalog) ApproveCampaign(ctx context.Context, scope Scope, id string) (Campaign, error) {
	return c.move(ctx, scope, id, "approve", "approved", func(r *campaignRow, at attribution.Instant, status string) error {
		if status != attribution.StatusDraft {
			return conflict("the campaign is %s: only a draft can be approved", status)
		}
		r.ApprovedAt = &at
		return nil
	})
}

// PauseCampaign makes clicks unpayable until the campaign is resumed.
func (c *Catalog) PauseCampaign(ctx context.Context, scope Scope, id string) (Campaign, error) {
	return c.move(ctx, scope, id, "pause", "paused", func(r *campaignRow, at attribution.Instant, status string) error {
		if !running(status) {
			return conflict("the campaign is %s: only an upcoming or ongoing one can be paused", status)
		}
		r.PausedAt = &at
		return nil
	})
}

// ResumeCampaign ends a pause.
func (c *Catalog) ResumeCampaign(ctx context.Context, scope Scope, id string) (Campaign, error) {
	return c.move(ctx, scope, id, "resume", "resumed", func(r *campaignRow, _ attribution.Instant, status string) error {
		if status != attribution.StatusPaused {
			return conflict("the campaign is %s: only a paused one can be resumed", status)
		}
		r.PausedAt = nil
		return nil
	})
}

// CloseCampaign ends a campaign for good.
func (c *Catalog) CloseCampaign(ctx context.Context, scope Scope, id string) (Campaign, error) {
	return c.move(ctx, scope, id, "close", "closed", func(r *campaignRow, at attribution.Instant, status string) error {
		if status == attribution.StatusClosed {
			return conflict("the campaign is closed already")
		}
		r.ClosedAt = &at
		return nil
	})
}

func (c *Catalog) move(ctx context.Context, scope Scope, id, verb, event string,
	change func(r *campaignRow, at attribution.Instant, status string) error) (Campaign, error) {
	var row campaignRow
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) (err error) {
		if row, err = c.liveCampaign(ctx, scope, id, verb+" campaigns"); err != nil {
			return err
		}
		if err := change(&row, w.at, row.state().Status(int64(w.at))); err != nil {
			return err
		}
		return w.setState(ctx, &row, verb, event)
	})
	if err != nil {
		return Campaign{}, err
	}
	return row.view(scope, row.UpdatedAt), nil
}

// ArchiveCampaign closes a campaign and takes it out of lists. Its links go on
// redirecting.
func (c *Catalog) ArchiveCampaign(ctx context.Context, scope Scope, id string) error {
	return c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		row, err := c.campaignRow(ctx, scope, id)
		if err != nil || row.ArchivedAt != nil {
			return err
		}
		if !scope.manages(row.AdvertiserID) {
			return forbidden(scope, "archive campaigns")
		}
		row.ArchivedAt = &w.at
		if row.ClosedAt == nil {
			row.ClosedAt = &w.at
		}
		return w.setState(ctx, &row, "archive", "archived")
	})
}
