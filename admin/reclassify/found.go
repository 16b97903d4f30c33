package reclassify

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// Figures are what a run found. Before and after are of the hits of the range.
type Figures struct {
	Hits          int64            `json:"hits" doc:"Hits of the range"`
	Changed       int64            `json:"changed" doc:"Hits whose verdict, reasons or uniqueness change"`
	LeftAlone     int64            `json:"left_alone" doc:"Hits whose stored reasons do not explain their verdict: they stay as they are"`
	Followers     int64            `json:"followers" doc:"Hits up to 30 minutes after the range that become unique, or no longer are; they are counted nowhere else"`
	ClicksBefore  int64            `json:"clicks_before" doc:"Valid hits"`
	ClicksAfter   int64            `json:"clicks_after"`
	UniqueBefore  int64            `json:"unique_clicks_before"`
	UniqueAfter   int64            `json:"unique_clicks_after"`
	Verdicts      []VerdictChange  `json:"verdicts" nullable:"false" doc:"Hits by old and new verdict, where they differ"`
	Reasons       []ReasonChange   `json:"reasons" nullable:"false" doc:"Reasons that more or fewer hits have"`
	RulesVersions []RulesVersion   `json:"rules_versions" nullable:"false" doc:"By which rules the hits of the range had their verdicts"`
	Campaigns     []CampaignChange `json:"campaigns" nullable:"false" doc:"Campaigns with hits that change, most changes first; at most 1,000"`
	PaidClicks    []PaidChange     `json:"paid_clicks" nullable:"false" doc:"Unique clicks that campaigns which pay per click have more or fewer of in hours that are booked. Nothing is taken back: correct it by hand. At most 1,000"`
}

// A VerdictChange counts the hits of one old and one new verdict.
type VerdictChange struct {
	From string `json:"from"`
	To   string `json:"to"`
	Hits int64  `json:"hits"`
}

// A ReasonChange counts the hits that had a reason and that have it.
type ReasonChange struct {
	Reason string `json:"reason"`
	Before int64  `json:"before"`
	After  int64  `json:"after"`
}

// A RulesVersion counts the hits judged by one version of the rules.
type RulesVersion struct {
	Version uint32 `json:"version"`
	Hits    int64  `json:"hits"`
}

// A CampaignChange is a campaign before and after.
type CampaignChange struct {
	AdvertiserID string `json:"advertiser_id"`
	CampaignID   string `json:"campaign_id"`
	Changed      int64  `json:"changed"`
	ClicksBefore int64  `json:"clicks_before"`
	ClicksAfter  int64  `json:"clicks_after"`
	UniqueBefore int64  `json:"unique_clicks_before"`
	UniqueAfter  int64  `json:"unique_clicks_after"`
}

// A PaidChange is how many unique clicks that were paid a task has more or fewer.
type PaidChange struct {
	CampaignID string `json:"campaign_id"`
	TaskID     string `json:"task_id"`
	Clicks     int64  `json:"clicks" doc:"Negative: so many were paid that are no unique clicks by the new verdicts"`
}

// The most campaigns and tasks that are listed, and that are kept count of.
const (
	maxListed  = 1_000
	maxCounted = 20_000
)

// A tally counts what a run finds, across its steps.
type tally struct {
	Hits, Changed, LeftAlone, Followers                  int64
	ClicksBefore, ClicksAfter, UniqueBefore, UniqueAfter int64
	Verdicts                                             map[string]int64 // by "from to"
	ReasonsBefore, ReasonsAfter                          map[string]int64
	RulesVersions                                        map[uint32]int64
	Campaigns                                            map[string]*CampaignChange
	Paid                                                 map[string]*PaidChange // by task
	// Outcomes are those of the step, numbered, by outcomeKey.
	Outcomes map[string]uint16 `json:",omitempty"`
}

func newTally() *tally {
	return &tally{
		Verdicts: map[string]int64{}, ReasonsBefore: map[string]int64{}, ReasonsAfter: map[string]int64{}, RulesVersions: map[uint32]int64{},
		Campaigns: map[string]*CampaignChange{}, Paid: map[string]*PaidChange{},
	}
}

func readTally(text string) (*tally, error) {
	t := newTally()
	if text == "" {
		return t, nil
	}
	return t, json.Unmarshal([]byte(text), t)
}

func (t *tally) text() (string, error) {
	text, err := json.Marshal(t)
	return string(text), err
}

// add adds what a step found.
func (t *tally) add(step *tally) {
	t.Hits, t.Changed, t.LeftAlone, t.Followers = t.Hits+step.Hits, t.Changed+step.Changed, t.LeftAlone+step.LeftAlone, t.Followers+step.Followers
	t.ClicksBefore, t.ClicksAfter = t.ClicksBefore+step.ClicksBefore, t.ClicksAfter+step.ClicksAfter
	t.UniqueBefore, t.UniqueAfter = t.UniqueBefore+step.UniqueBefore, t.UniqueAfter+step.UniqueAfter
	addCounts(t.Verdicts, step.Verdicts)
	addCounts(t.ReasonsBefore, step.ReasonsBefore)
	addCounts(t.ReasonsAfter, step.ReasonsAfter)
	addCounts(t.RulesVersions, step.RulesVersions)
	for id, c := range step.Campaigns {
		if sum := entry(t.Campaigns, id, CampaignChange{AdvertiserID: c.AdvertiserID, CampaignID: id}); sum != nil {
			sum.Changed += c.Changed
			sum.ClicksBefore, sum.ClicksAfter = sum.ClicksBefore+c.ClicksBefore, sum.ClicksAfter+c.ClicksAfter
			sum.UniqueBefore, sum.UniqueAfter = sum.UniqueBefore+c.UniqueBefore, sum.UniqueAfter+c.UniqueAfter
		}
	}
	for id, p := range step.Paid {
		if sum := entry(t.Paid, id, PaidChange{CampaignID: p.CampaignID, TaskID: id}); sum != nil {
			sum.Clicks += p.Clicks
		}
	}
}

func addCounts[K comparable](to, from map[K]int64) {
	for key, n := range from {
		to[key] += n
	}
}

// entry is a key's entry, made when it is new; nil when there are too many.
func entry[T any](of map[string]*T, key string, first T) *T {
	if of[key] == nil && len(of) < maxCounted {
		of[key] = &first
	}
	return of[key]
}

// count counts a hit of the range as it was and as it is.
func (t *tally) count(h *hit, now *outcome) {
	t.Hits++
	t.RulesVersions[h.rulesVersion]++
	campaign := entry(t.Campaigns, h.campaignID, CampaignChange{AdvertiserID: h.advertiserID, CampaignID: h.campaignID})
	if campaign == nil {
		campaign = &CampaignChange{}
	}
	clickBefore, clickAfter := one(h.verdict == valid), one(now.verdict == valid)
	uniqueBefore, uniqueAfter := clickBefore*one(h.isUnique != 0), clickAfter*one(now.unique)
	t.ClicksBefore, t.ClicksAfter = t.ClicksBefore+clickBefore, t.ClicksAfter+clickAfter
	t.UniqueBefore, t.UniqueAfter = t.UniqueBefore+uniqueBefore, t.UniqueAfter+uniqueAfter
	campaign.ClicksBefore, campaign.ClicksAfter = campaign.ClicksBefore+clickBefore, campaign.ClicksAfter+clickAfter
	campaign.UniqueBefore, campaign.UniqueAfter = campaign.UniqueBefore+uniqueBefore, campaign.UniqueAfter+uniqueAfter
	for _, name := range h.reasons {
		t.ReasonsBefore[name]++
	}
	for _, name := range now.reasons {
		t.ReasonsAfter[name]++
	}
	if !now.changes {
		return
	}
	t.Changed++
	campaign.Changed++
	if h.verdict != now.verdict {
		t.Verdicts[h.verdict+" "+now.verdict]++
	}
}

// pay counts a click that campaigns which pay per click have paid, or not.
func (t *tally) pay(h *hit, now *outcome) {
	change := one(now.verdict == valid && now.unique) - one(h.verdict == valid && h.isUnique != 0)
	if change == 0 {
		return
	}
	if paid := entry(t.Paid, h.taskID, PaidChange{CampaignID: h.campaignID, TaskID: h.taskID}); paid != nil {
		paid.Clicks += change
	}
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// figures are the tally as it is shown.
func (t *tally) figures() Figures {
	f := Figures{
		Hits: t.Hits, Changed: t.Changed, LeftAlone: t.LeftAlone, Followers: t.Followers,
		ClicksBefore: t.ClicksBefore, ClicksAfter: t.ClicksAfter, UniqueBefore: t.UniqueBefore, UniqueAfter: t.UniqueAfter,
		Verdicts: []VerdictChange{}, Reasons: []ReasonChange{}, RulesVersions: []RulesVersion{}, Campaigns: []CampaignChange{}, PaidClicks: []PaidChange{},
	}
	for _, key := range slices.Sorted(maps.Keys(t.Verdicts)) {
		from, to := cutVerdicts(key)
		f.Verdicts = append(f.Verdicts, VerdictChange{from, to, t.Verdicts[key]})
	}
	names := maps.Clone(t.ReasonsBefore)
	maps.Copy(names, t.ReasonsAfter)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before, after := t.ReasonsBefore[name], t.ReasonsAfter[name]; before != after {
			f.Reasons = append(f.Reasons, ReasonChange{name, before, after})
		}
	}
	for _, version := range slices.Sorted(maps.Keys(t.RulesVersions)) {
		f.RulesVersions = append(f.RulesVersions, RulesVersion{version, t.RulesVersions[version]})
	}
	for _, c := range t.Campaigns {
		if c.Changed > 0 {
			f.Campaigns = append(f.Campaigns, *c)
		}
	}
	slices.SortFunc(f.Campaigns, func(a, b CampaignChange) int {
		return cmp.Or(cmp.Compare(b.Changed, a.Changed), cmp.Compare(a.CampaignID, b.CampaignID))
	})
	for _, p := range t.Paid {
		if p.Clicks != 0 {
			f.PaidClicks = append(f.PaidClicks, *p)
		}
	}
	slices.SortFunc(f.PaidClicks, func(a, b PaidChange) int {
		return cmp.Or(cmp.Compare(a.Clicks, b.Clicks), cmp.Compare(a.TaskID, b.TaskID))
	})
	f.Campaigns, f.PaidClicks = f.Campaigns[:min(maxListed, len(f.Campaigns))], f.PaidClicks[:min(maxListed, len(f.PaidClicks))]
	return f
}
