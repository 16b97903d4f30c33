package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tributary/attribution"
)

// The bounds of a re-attribution.
const (
	MaxReattributed         = 5_000 // conversions of one run
	maxTried                = 1_000 // of an advertiser's dry run: others' writes wait for it
	maxReattributionDays    = 400
	maxReattributionItems   = 1_000 // differences that are listed one by one
	reattributionBatch      = 200   // conversions of one transaction
	maxRunID                = 64
	reattributionFinished   = math.MaxInt64
	prefixRun               = "run_"
	verbReattribute         = "reattribute"  // in the audit log
	verbReattributed        = "reattributed" // in the outbox
	thingAttribution        = "attribution"
	reversalOfReattribution = "credited_other"
)

// A Reattribution asks to decide again who earned the conversions of an
// advertiser whose event time is in [From, To): under another model or other
// terms, or with other verdicts of their clicks.
type Reattribution struct {
	// RunID names an application: applying it again changes nothing, and one that
	// was cut short goes on. Empty: a new one is drawn.
	RunID        string
	AdvertiserID string
	// CampaignIDs are the campaigns whose credits, before or after, are in question,
	// and to whose terms Model and Terms apply. Empty: all.
	CampaignIDs []string
	From, To    attribution.Instant
	// Model replaces the campaigns' own.
	Model string
	// Terms replace the campaigns' own; what they leave out stays. The caps that
	// apply stay the campaigns'.
	Terms *attribution.Terms
	// Verdict gives clicks another verdict than the one sealed into their id, and
	// says whether it has one. It is asked inside a transaction and must not wait.
	Verdict func(clickID string) (attribution.Verdict, bool)
	// DryRun only says what would change.
	DryRun bool
}

// Reattributed is what a re-attribution changes. Before and after are sums of what
// stands: actions with their adjustments, without reversed ones, after caps and
// budget.
type Reattributed struct {
	RunID          string                   `json:"run_id" doc:"Send it to apply what a dry run showed; applying it again changes nothing"`
	DryRun         bool                     `json:"dry_run"`
	AppliedBefore  bool                     `json:"applied_before" doc:"The run was finished already: nothing was done"`
	Conversions    int64                    `json:"conversions" doc:"How many were decided again"`
	Changed        int64                    `json:"changed"`
	LeftAlone      int64                    `json:"left_alone" doc:"Decided otherwise, but not changed: the item says why"`
	Items          []ReattributedConversion `json:"items" nullable:"false" doc:"The first 1,000 that change or are left alone"`
	ItemsTruncated bool                     `json:"items_truncated"`
	Creators       []ReattributedCreator    `json:"creators" nullable:"false" doc:"Sums over all conversions that change"`
}

// A ReattributedConversion is one conversion before and after.
type ReattributedConversion struct {
	ConversionID string               `json:"conversion_id"`
	OrderID      string               `json:"order_id"`
	Event        string               `json:"event"`
	LeftAlone    string               `json:"left_alone,omitempty" doc:"Why it is not changed"`
	Before       []ReattributedCredit `json:"before" nullable:"false"`
	After        []ReattributedCredit `json:"after" nullable:"false"`
}

// A ReattributedCredit is what one creator has of a conversion.
type ReattributedCredit struct {
	CampaignID string `json:"campaign_id"`
	CreatorID  string `json:"creator_id"`
	TaskID     string `json:"task_id"`
	Credit     string `json:"credit" doc:"Exact fraction; 0 for what is left of a corrected action"`
	Currency   string `json:"currency"`
	Amount     string `json:"amount"`
	Payout     string `json:"payout,omitempty" doc:"Not shown to an advertiser where an agency has a margin"`
	Cost       string `json:"cost"`
}

// A ReattributedCreator is what one creator has in one currency, before and after.
type ReattributedCreator struct {
	CreatorID     string `json:"creator_id"`
	Currency      string `json:"currency"`
	CreditsBefore int64  `json:"credits_before"`
	CreditsAfter  int64  `json:"credits_after"`
	PayoutBefore  string `json:"payout_before,omitempty"`
	PayoutAfter   string `json:"payout_after,omitempty"`
	PayoutChange  string `json:"payout_change,omitempty"`
	CostBefore    string `json:"cost_before"`
	CostAfter     string `json:"cost_after"`
}

// errDryRun takes back what a dry run did.
var errDryRun = errors.New("a dry run is not kept")

// Reattribute decides again who earned stored conversions, each from the clicks
// and the code that were asked the first time, and says what differs. Applied, it
// reverses pending and held actions whose credit went (credited_other), makes the
// new ones through caps and budget, and corrects what is locked by adjustments. A
// share that is the same under both decisions is not touched, nor is a conversion
// of which a person reversed an action.
//
// A dry run does it all in one transaction that is rolled back, so that caps and
// budgets count in it. An application is one transaction for every 200
// conversions; cut short, the same RunID goes on where it stopped. An advertiser may
// only try: what it pays is the agreement of both sides.
func (l *Ledger) Reattribute(ctx context.Context, scope Scope, asked Reattribution) (Reattributed, error) {
	most, err := scope.mayReattribute(&asked)
	if err != nil {
		return Reattributed{}, err
	}
	if err := l.checkReattribution(ctx, &asked, most); err != nil {
		return Reattributed{}, err
	}
	hidden, err := l.hiddenCampaigns(ctx, scope)
	if err != nil {
		return Reattributed{}, err
	}
	if asked.RunID == "" {
		id, err := l.newID(prefixRun, l.instant())
		if err != nil {
			return Reattributed{}, err
		}
		asked.RunID = id
	}
	r := newReattributing(asked)
	known := newFacts()
	for {
		done, before := false, r.clone()
		err := l.write(ctx, scope, known, func(ctx context.Context, w *writing) (err error) {
			done, r = false, before.clone()
			for !done {
				if done, err = r.batch(ctx, w); err != nil || !asked.DryRun {
					return err
				}
			}
			return errDryRun
		})
		if err != nil && !errors.Is(err, errDryRun) {
			return Reattributed{}, err
		}
		if done {
			return r.result(hidden), nil
		}
	}
}

// mayReattribute checks who asks, and says for how many conversions it may.
func (s Scope) mayReattribute(asked *Reattribution) (most int, err error) {
	switch {
	case s.admin():
		return MaxReattributed, nil
	case !s.advertiser():
		return 0, forbidden(s, "re-attribute conversions")
	case !asked.DryRun:
		return 0, forbidden(s, "apply a re-attribution: it may ask for a dry run")
	}
	if asked.AdvertiserID == "" {
		asked.AdvertiserID = s.AdvertiserID
	}
	if !s.manages(asked.AdvertiserID) {
		return 0, notFound("advertiser", asked.AdvertiserID)
	}
	return maxTried, nil
}

// hiddenCampaigns are those whose payouts the scope does not see.
func (l *Ledger) hiddenCampaigns(ctx context.Context, scope Scope) ([]string, error) {
	if !scope.advertiser() {
		return nil, nil
	}
	return l.AgencyCampaigns(ctx, scope.AdvertiserID)
}

// checkReattribution checks what was asked before anything is decided.
func (l *Ledger) checkReattribution(ctx context.Context, asked *Reattribution, most int) error {
	var check attribution.Checker
	check.Require(asked.AdvertiserID != "", "body.advertiser_id", "is required")
	check.Require(asked.From != 0 && asked.From < asked.To, "body.from", "is required, and must be before to")
	check.Require(asked.To-asked.From <= maxReattributionDays*24*60*60*1000, "body.to", "must be at most %d days after from", maxReattributionDays)
	check.Require(asked.Model == "" || slices.Contains(models[:], asked.Model), "body.model", "must be one of: %s", strings.Join(models[:], " "))
	check.Require(len(asked.RunID) <= maxRunID && !strings.ContainsFunc(asked.RunID, notOfRunID), "body.run_id", "must be at most %d of letters, digits, _ and -", maxRunID)
	if asked.Terms != nil {
		check.Require(len(asked.Terms.Caps) == 0, "body.terms.caps", "must be left out: the campaign's own apply")
		check.Require(!asked.Terms.HoldUnsigned, "body.terms.hold_unsigned", "must be left out: the campaign's own applies")
	}
	if err := check.Err(); err != nil {
		return err
	}
	currencies, err := l.campaignCurrencies(ctx, asked.AdvertiserID)
	if err != nil {
		return err
	}
	for i, id := range asked.CampaignIDs {
		check.Require(currencies[id] != "", fmt.Sprintf("body.campaign_ids[%d]", i), "the advertiser has no such campaign")
	}
	checked := map[string]bool{}
	for id, currency := range currencies {
		if asked.Terms != nil && asked.covers(id) && !checked[currency] {
			checked[currency] = true
			asked.Terms.Check(&check, "body.terms", currency)
		}
	}
	if err := check.Err(); err != nil {
		return err
	}
	var count int64
	if err := l.db.Row(ctx, "ledger.count_to_reattribute", asked.AdvertiserID, int64(asked.From), int64(asked.To), most+1).Scan(&count); err != nil {
		return fmt.Errorf("ledger: counting conversions: %w", err)
	}
	if count > int64(most) {
		return invalid("body.to", "the range has more than %d conversions: ask for shorter ranges, one behind the other", most)
	}
	return nil
}

var models = [...]string{attribution.ModelLast, attribution.ModelFirst, attribution.ModelLinear, attribution.ModelPosition, attribution.ModelTimeDecay}

func notOfRunID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// campaignCurrencies are an advertiser's campaigns and their currencies.
func (l *Ledger) campaignCurrencies(ctx context.Context, advertiserID string) (map[string]string, error) {
	var found int64
	if err := l.db.Row(ctx, "ledger.advertiser_exists", advertiserID).Scan(&found); err != nil {
		return nil, fmt.Errorf("ledger: reading an advertiser: %w", err)
	}
	if found == 0 {
		return nil, notFound("advertiser", advertiserID)
	}
	rows, err := l.db.Rows(ctx, "ledger.advertiser_campaigns", advertiserID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	currencies := map[string]string{}
	for rows.Next() {
		var id, currency string
		if err := rows.Scan(&id, &currency); err != nil {
			return nil, fmt.Errorf("ledger: reading campaigns: %w", err)
		}
		currencies[id] = currency
	}
	return currencies, rows.Err()
}

// covers reports whether a campaign is in question.
func (r *Reattribution) covers(campaignID string) bool {
	return len(r.CampaignIDs) == 0 || slices.Contains(r.CampaignIDs, campaignID)
}

// log names the run among the logs whose positions are kept: its conversions are
// a log that is settled once. It ends with what was asked, so that a run is not
// taken for another of the same name.
func (r *Reattribution) log() (string, error) {
	asked, err := encode([]any{r.AdvertiserID, r.CampaignIDs, r.From, r.To, r.Model, r.Terms})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(asked))
	return r.logs() + hex.EncodeToString(sum[:16]), nil
}

func (r *Reattribution) logs() string { return "reattribution/" + r.RunID + "/" }

// begin finds how far the run is, and records in the audit log that it begins.
func (r *Reattribution) begin(ctx context.Context, w *writing, log string) (through int64, err error) {
	err = w.each(ctx, "ledger.reattribution", func(row scanner) error {
		var found string
		if err := row.Scan(&found, &through); err != nil {
			return err
		}
		if found != log {
			return conflict("the run %q was of another advertiser, range, model or terms: use another run_id", r.RunID)
		}
		return nil
	}, r.logs(), strings.TrimSuffix(r.logs(), "/")+"0") // "0" follows "/"
	if err != nil || through > 0 || r.DryRun {
		return through, err
	}
	fields := []string{}
	if r.Model != "" {
		fields = append(fields, "model")
	}
	if r.Terms != nil {
		fields = append(fields, "terms")
	}
	if r.Verdict != nil {
		fields = append(fields, "verdicts")
	}
	var change int64
	if err := w.Row(ctx, "number.take", 1, "change").Scan(&change); err != nil {
		return 0, fmt.Errorf("ledger: taking a change number: %w", err)
	}
	_, err = w.Exec(ctx, "audit.insert", change, int64(w.at), w.scope.KeyID, w.scope.Role, verbReattribute, thingAttribution, r.RunID, r.AdvertiserID, strings.Join(fields, "\n"))
	return 0, err
}
