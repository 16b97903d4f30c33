package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

// A CampaignFilter narrows a list of campaigns.
type CampaignFilter struct {
	AdvertiserID string
	Status       string
	Kind         string
	Platform     string
	Q            string // part of the title
	// Participation is a creator's own status in the campaigns; nobody else asks
	// for it.
	Participation string
}

// CreateCampaign makes a campaign, a draft until it is approved.
func (c *Catalog) CreateCampaign(ctx context.Context, scope Scope, asked CampaignFields) (Campaign, error) {
	if !scope.admin() && !scope.advertiser() {
		return Campaign{}, forbidden(scope, "make campaigns")
	}
	var made campaignRow
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		fields := asked
		var check fieldCheck
		refuseMargins(&check, scope, fields.MarginRate != "", fields.AgencyMarginRate != "")
		advertiser, err := c.advertiserOf(ctx, scope, &check, fields.AdvertiserID)
		if err != nil {
			return err
		}
		if err := c.chooseTerms(ctx, &check, &fields, fields.Terms != nil, fields.TermsTemplateID != ""); err != nil {
			return err
		}
		fields = fields.normal(advertiser)
		fields.check(&check, advertiser.Domains)
		if err := check.Err(); err != nil {
			return err
		}
		id, err := c.newID(attribution.PrefixCampaign, w.at)
		if err != nil {
			return err
		}
		made.Frame = Frame{ID: id, CreatedAt: w.at, UpdatedAt: w.at}
		made.CampaignFields, made.TermsVersion = fields, 1
		if err := w.insertCampaign(ctx, &made); err != nil {
			return err
		}
		w.announce()
		return w.audit(ctx, "create", "campaign", id, fields.AdvertiserID, nil)
	})
	if err != nil {
		return Campaign{}, err
	}
	return made.view(scope, made.CreatedAt), nil
}

// advertiserOf finds whom a new campaign is for. One that cannot be is a failed
// field; the other fields are checked all the same, against an advertiser of
// whom nothing is asked.
func (c *Catalog) advertiserOf(ctx context.Context, scope Scope, check *fieldCheck, id string) (Advertiser, error) {
	advertiser, err := c.liveAdvertiser(ctx, scope, id)
	if _, found := attribution.AsProblem(err); !found {
		return advertiser, err
	}
	return Advertiser{AdvertiserFields: AdvertiserFields{Currency: "USD", Timezone: "UTC"}}, check.refused("body.advertiser_id", id, err)
}

// refuseMargins keeps what the platform and the agency earn to admins.
func refuseMargins(check *fieldCheck, scope Scope, margin, agency bool) {
	if scope.admin() {
		return
	}
	check.Require(!margin, "body.margin_rate", "may be set by an admin only")
	check.Require(!agency, "body.agency_margin_rate", "may be set by an admin only")
}

// Campaign finds a campaign.
func (c *Catalog) Campaign(ctx context.Context, scope Scope, id string) (Campaign, error) {
	row, err := c.campaignRow(ctx, scope, id)
	if err != nil {
		return Campaign{}, err
	}
	return row.view(scope, c.instant()), nil
}

// campaignRow finds a campaign in scope, as it is stored.
func (c *Catalog) campaignRow(ctx context.Context, scope Scope, id string) (campaignRow, error) {
	row, err := scanCampaign(c.db.Row(ctx, "campaign.by_id", id))
	if errors.Is(err, sql.ErrNoRows) {
		return row, notFound("campaign", id)
	}
	if err != nil || scope.manages(row.AdvertiserID) {
		return row, err
	}
	sees := false
	if scope.creator() {
		sees, err = c.offered(ctx, scope.CreatorID, &row)
	}
	if err == nil && !sees {
		err = notFound("campaign", id)
	}
	return row, err
}

// liveCampaign finds a campaign that the scope may change and that is not archived.
func (c *Catalog) liveCampaign(ctx context.Context, scope Scope, id, what string) (campaignRow, error) {
	row, err := c.campaignRow(ctx, scope, id)
	switch {
	case err != nil:
		return row, err
	case !scope.manages(row.AdvertiserID):
		return row, forbidden(scope, what)
	case row.ArchivedAt != nil:
		return row, archived("campaign", id)
	}
	return row, nil
}

// Campaigns lists the campaigns that are not archived. A creator finds those it
// is in and those it may join, each with its own participation's status.
func (c *Catalog) Campaigns(ctx context.Context, scope Scope, filter CampaignFilter, p Page) (List[Campaign], error) {
	now := c.instant()
	given := database.Given{
		"advertiser_id": filter.AdvertiserID, "kind": filter.Kind, "platform": element(filter.Platform), "q": contains(filter.Q),
		"status": filter.Status, "now": int64(now),
	}
	if scope.creator() {
		given["participation"] = filter.Participation
		return c.offeredCampaigns(ctx, scope, given, p)
	}
	if !scope.limit(given) {
		return List[Campaign]{Items: []Campaign{}}, nil
	}
	scan := func(row scanner) (Campaign, error) {
		found, err := scanCampaign(row)
		return found.view(scope, now), err
	}
	return page(ctx, c.db, "campaign.list", given, p, byID(attribution.PrefixCampaign), scan,
		func(campaign Campaign) string { return campaign.ID })
}

// PatchCampaign applies a merge patch. Changed terms become the next version,
// in force from now on.
func (c *Catalog) PatchCampaign(ctx context.Context, scope Scope, id string, patch []byte) (Campaign, error) {
	var now campaignRow
	err := c.write(ctx, scope, func(ctx context.Context, w *writing) error {
		was, err := c.liveCampaign(ctx, scope, id, "change campaigns")
		if err != nil {
			return err
		}
		fields, changed, err := merge(was.CampaignFields, patch)
		if now = was; err != nil || len(changed) == 0 {
			return err
		}
		if fields, err = c.checkedPatch(ctx, scope, fields, changed); err != nil {
			return err
		}
		now.CampaignFields, now.UpdatedAt = fields, w.at
		if err := w.updateCampaign(ctx, was, &now); err != nil {
			return err
		}
		if slices.ContainsFunc(changed, isMoney) {
			if err := w.budgetChanged(ctx, &now); err != nil {
				return err
			}
		}
		w.announce()
		return w.audit(ctx, "update", "campaign", id, fields.AdvertiserID, changed)
	})
	if err != nil {
		return Campaign{}, err
	}
	return now.view(scope, c.instant()), nil
}

// isMoney reports whether a field decides what actions may cost.
func isMoney(field string) bool {
	return field == "budget" || field == "max_creator_payout" || field == "margin_rate" || field == "agency_margin_rate"
}

// budgetChanged lets the ledger hold and release what another budget means, and
// reads the campaign again as that leaves it.
func (w *writing) budgetChanged(ctx context.Context, r *campaignRow) error {
	if err := w.c.budgetChanged(ctx, r.ID); err != nil {
		return fmt.Errorf("catalog: after a change of budget: %w", err)
	}
	after, err := scanCampaign(w.Row(ctx, "campaign.by_id", r.ID))
	if err == nil {
		*r = after
	}
	return err
}

// checkedPatch fills in and checks the merged fields of a campaign.
func (c *Catalog) checkedPatch(ctx context.Context, scope Scope, fields CampaignFields, changed []string) (CampaignFields, error) {
	advertiser, err := scanAdvertiser(c.db.Row(ctx, "advertiser.by_id", fields.AdvertiserID))
	var check fieldCheck
	if isNot(err, sql.ErrNoRows) {
		return fields, err
	}
	frozen(&check.Checker, changed, "make another campaign instead", "advertiser_id", "currency")
	refuseMargins(&check, scope, slices.Contains(changed, "margin_rate"), slices.Contains(changed, "agency_margin_rate"))
	byTerms := slices.Contains(changed, "terms") && fields.Terms != nil
	if err := c.chooseTerms(ctx, &check, &fields, byTerms, slices.Contains(changed, "terms_template_id") && fields.TermsTemplateID != ""); err != nil {
		return fields, err
	}
	fields = fields.normal(advertiser)
	fields.check(&check, advertiser.Domains)
	return fields, check.Err()
}

// A campaignRow is a campaign with what only the ledger writes.
type campaignRow struct {
	Campaign
	overBudget     bool
	committedMinor int64
}

func (r *campaignRow) state() attribution.CampaignState {
	return attribution.CampaignState{
		Approved: r.ApprovedAt != nil, Paused: r.PausedAt != nil, Closed: r.ClosedAt != nil, OverBudget: r.overBudget,
		StartsAtMs: int64(r.StartsAt), EndsAtMs: int64(r.EndsAt),
	}
}

// view is the campaign as a scope sees it at a time: creators see neither
// margins nor what it costs, prices of posts included, advertisers no agency's margin, and the platform's
// only when there is no agency's.
func (r campaignRow) view(scope Scope, now attribution.Instant) Campaign {
	campaign := r.Campaign
	campaign.Status = r.state().Status(int64(now))
	campaign.Budget = &BudgetState{Committed: attribution.FormatMoney(r.committedMinor, r.Currency)}
	if budget := campaign.CampaignFields.Budget; budget != nil {
		amount := minor(budget.Amount, r.Currency)
		campaign.Budget.Mode = budget.Mode
		campaign.Budget.Amount = new(attribution.FormatMoney(amount, r.Currency))
		campaign.Budget.Remaining = new(attribution.FormatMoney(amount-r.committedMinor, r.Currency))
	}
	switch {
	case scope.admin():
		return campaign
	case scope.creator():
		campaign.Budget, campaign.CampaignFields.Budget, campaign.CostPer = nil, nil, nil
		campaign.MarginRate, campaign.Contacts = "", Contacts{}
	case parsedRate(campaign.AgencyMarginRate) != 0:
		campaign.MarginRate = ""
	}
	campaign.AgencyMarginRate = ""
	return campaign
}

// minor reads an amount that was checked before it was stored.
func minor(amount attribution.Decimal, currency string) int64 {
	value, err := attribution.ParseMoney(amount, currency)
	if err != nil {
		return 0
	}
	return value
}

func parsedRate(rate attribution.Decimal) attribution.Rate {
	value, err := attribution.ParseRate(rate)
	if err != nil {
		return 0
	}
	return value
}

func scanCampaign(row scanner) (campaignRow, error) {
	var r campaignRow
	var fields, terms string
	var approved, paused, closed, over int64
	if err := scanFrame(row, &r.Frame, &fields, &terms, &r.TermsVersion, &approved, &paused, &closed, &over, &r.committedMinor); err != nil {
		return r, err
	}
	r.ApprovedAt, r.PausedAt, r.ClosedAt, r.overBudget = attribution.InstantOrNil(approved), attribution.InstantOrNil(paused), attribution.InstantOrNil(closed), over != 0
	if err := decode(fields, &r.CampaignFields); err != nil {
		return r, err
	}
	r.Terms = &attribution.Terms{}
	return r, decode(terms, r.Terms)
}

func campaignSearch(f CampaignFields) string {
	return searchText(f.Title, strings.Join(f.Hashtags, " "))
}
