package notify

import (
	"context"
	"fmt"
	"net/mail"
	"time"

	"tributary/admin/events"
	"tributary/admin/webhooks"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
)

// A rule says who is told of events of a type.
type rule struct {
	role   string
	mailed bool
}

// rules lists the events that people are told of. What each says is in the
// template of the same name.
var rules = map[string]rule{
	events.ParticipationInvited:     {catalog.RoleCreator, true},
	events.ParticipationApproved:    {catalog.RoleCreator, true},
	events.ParticipationRejected:    {catalog.RoleCreator, true},
	events.ParticipationUnavailable: {catalog.RoleCreator, false},
	events.ParticipationApplied:     {catalog.RoleAdvertiser, false},
	events.DraftWaiting:             {catalog.RoleAdvertiser, true},
	events.DraftApproved:            {catalog.RoleCreator, true},
	events.DraftReturned:            {catalog.RoleCreator, true},
	events.BudgetThreshold:          {catalog.RoleAdvertiser, true},
	events.CodePoolLow:              {catalog.RoleAdvertiser, true},
	events.CampaignOngoing:          {catalog.RoleAdvertiser, false},
	events.CampaignOverBudget:       {catalog.RoleAdvertiser, true},
	events.CampaignFinished:         {catalog.RoleAdvertiser, false},
	events.PayoutCreated:            {catalog.RoleCreator, false},
	events.PayoutPaid:               {catalog.RoleCreator, true},
	events.ActionReversed:           {catalog.RoleCreator, false},
}

// about is what templates speak of.
type about struct {
	Campaign  catalog.Campaign
	Campaigns []catalog.Campaign
	Creator   catalog.Creator
	Zone      *time.Location

	Reason, Reference string
	Percent           int64
	Costs             ledger.CampaignCosts
	Amount, Currency  string
	Actions, Left     int64
}

// Take implements events.Sink: it tells people of the events they are to know.
func (s *Service) Take(ctx context.Context, happened []events.Event) (keep func(context.Context, *database.Tx) error, err error) {
	var notices []notice
	for i := range happened {
		rule, told := rules[happened[i].Type]
		if !told {
			continue
		}
		n, err := s.noticeOf(ctx, &happened[i], rule)
		if _, refused := attribution.AsProblem(err); refused {
			s.o.Log.Error("nobody is told of an event", "event", happened[i].ID, "type", happened[i].Type, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		notices = append(notices, n)
	}
	if len(notices) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, tx *database.Tx) error { return s.write(ctx, tx, notices) }, nil
}

func (s *Service) noticeOf(ctx context.Context, e *events.Event, r rule) (n notice, err error) {
	a := about{Zone: time.UTC}
	n = notice{role: r.role, ownerID: e.AdvertiserID, once: e.ID, kind: e.Type, campaignID: e.CampaignID, subject: map[string]string{}, at: e.At}
	if e.CampaignID != "" {
		n.subject["campaign_id"] = e.CampaignID
		if a.Campaign, err = s.o.Things.Campaign(ctx, operator, e.CampaignID); err != nil {
			return n, err
		}
		a.Zone = zoneOf(a.Campaign.Timezone)
	}
	if e.CreatorID != "" {
		n.subject["creator_id"] = e.CreatorID
		if a.Creator, err = s.o.Things.Creator(ctx, operator, e.CreatorID); err != nil {
			return n, err
		}
	}
	switch r.role {
	case catalog.RoleCreator:
		n.ownerID = e.CreatorID
		a.Zone = zoneOf(a.Creator.Timezone)
		if r.mailed {
			n.mailTo = addresses(a.Creator.Name, a.Creator.Email)
		}
	case catalog.RoleAdvertiser:
		if r.mailed {
			n.mailTo = contactsOf(a.Campaign)
		}
	}
	a.learn(&n, e)
	n.text, err = s.templates.say(e.Type+"."+r.role, a)
	return n, err
}

// learn takes from an event what its template speaks of.
func (a *about) learn(n *notice, e *events.Event) {
	switch m := e.Message.(type) {
	case catalog.ParticipationEvent:
		a.Reason = clean(m.Reason, maxText)
	case catalog.DraftEvent:
		n.subject["draft_id"], n.subject["task_id"] = m.ID, m.TaskID
		a.Reason = clean(m.Reason, maxText)
	case catalog.CodePoolEvent:
		a.Left = m.Left
	case ledger.BudgetEvent:
		a.Percent, a.Costs, a.Currency = m.Percent, m.Costs(), m.Currency
	case ledger.PayoutEvent:
		n.subject["payout_id"] = m.ID
		a.Amount, a.Currency, a.Actions, a.Reference = attribution.FormatMoney(m.AmountMinor, m.Currency), m.Currency, m.Actions, clean(m.Reference, maxTitle)
	case *ledger.ActionRecord:
		n.subject["action_id"] = m.ID
		a.Amount, a.Currency, a.Reason = attribution.FormatMoney(m.PayoutMinor, m.Currency), m.Currency, m.Reversal
	}
}

// contactsOf are the people behind a campaign who can be written to: an advertiser
// has no address of its own.
func contactsOf(campaign catalog.Campaign) []mail.Address {
	return addresses("", campaign.Contacts.Sales, campaign.Contacts.CreatorManagement)
}

// WebhookFails implements webhooks.Notices.
func (s *Service) WebhookFails(ctx context.Context, tx *database.Tx, alert webhooks.Alert) error {
	n := notice{
		role: catalog.RoleAdvertiser, ownerID: alert.AdvertiserID, kind: "webhook.failing", subject: map[string]string{"webhook_id": alert.WebhookID},
		at: attribution.InstantOf(alert.At),
	}
	if alert.AdvertiserID == "" {
		n.role = catalog.RoleAdmin
	}
	if alert.Disabled {
		n.kind = "webhook.disabled"
	}
	n.once = fmt.Sprintf("%s %s %d", n.kind, alert.WebhookID, n.at)
	var err error
	if n.text, err = s.templates.say(n.kind+".owner", alert); err != nil {
		return err
	}
	return s.write(ctx, tx, []notice{n})
}

// unknownZone is the time zone of creators who have not said theirs.
const unknownZone = "Asia/Bangkok"

// zoneOf finds a time zone.
func zoneOf(name string) *time.Location {
	if name == "" {
		name = unknownZone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}
