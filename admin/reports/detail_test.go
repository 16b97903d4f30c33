package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/ledger"
	"tributary/schema"
)

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A converted is a conversion of the test data with what led to it.
type converted struct {
	id, advertiser, event, customer, code, codeOwner string
	at                                               time.Time
	touches                                          []touchOf
	actions                                          []ledger.ActionRecord
}

type touchOf struct {
	click           *stored // nil: forged
	outcome, reason string
}

// A journey is shoppers' way through it all: clicks, landings, conversions.
type journey struct {
	clicks      []stored
	landed      map[int]bool // by index of the click
	conversions []converted
}

// drawJourney draws conversions of clicks, weeks after some of them, with codes,
// customers, forged and late touches, and actions in every state.
func drawJourney(clicks, conversions int) *journey {
	random := rand.New(rand.NewPCG(23, 29))
	j := &journey{clicks: generate(clicks), landed: map[int]bool{}}
	for i := range j.clicks {
		if random.IntN(4) == 0 {
			j.landed[i] = true
		}
	}
	for n := range conversions {
		advertiser := random.IntN(2)
		c := converted{id: fmt.Sprintf("cnv_%05d", n), advertiser: fmt.Sprintf("adv_%d", advertiser), event: []string{"sale", "lead"}[random.IntN(2)]}
		var latest time.Time
		for range random.IntN(6) {
			if random.IntN(12) == 0 {
				c.touches = append(c.touches, touchOf{outcome: "ineligible", reason: "click_forged"})
				continue
			}
			at := random.IntN(clicks)
			if j.clicks[at].advertiser != c.advertiser {
				continue
			}
			c.touches = append(c.touches, touchOf{click: &j.clicks[at], outcome: "lost", reason: []string{"same_task", "outside_window"}[random.IntN(2)]})
			if j.clicks[at].at.After(latest) {
				latest = j.clicks[at].at
			}
		}
		c.at = latest.Add(time.Duration(random.Int64N(int64(50 * 24 * time.Hour)))).Truncate(time.Millisecond)
		if latest.IsZero() {
			c.at = time.Date(2026, 10, 20+random.IntN(20), random.IntN(24), 7, 0, 0, time.UTC)
		}
		if random.IntN(9) == 0 && !latest.IsZero() { // some of the touches come after the event
			c.at = latest.Add(-time.Hour)
		}
		slices.SortStableFunc(c.touches, func(a, b touchOf) int { return a.time().Compare(b.time()) })
		if random.IntN(3) > 0 {
			c.customer = fmt.Sprintf("customer-%d", random.IntN(conversions/4))
		}
		if random.IntN(3) == 0 {
			c.code, c.codeOwner = []string{"Summer", "SUMMER", "üb", "nobody's"}[random.IntN(4)], fmt.Sprintf("crt_%d", advertiser)
			if c.code == "nobody's" {
				c.codeOwner = ""
			}
		}
		for i := range c.touches {
			t := &c.touches[i]
			if t.click == nil || t.click.verdict != "valid" || t.click.at.After(c.at) || random.IntN(2) == 0 {
				continue
			}
			t.outcome, t.reason = "credited", ""
			c.actions = append(c.actions, ledger.ActionRecord{
				ID: fmt.Sprintf("act_%05d_%d", n, i), ConversionID: c.id, AdvertiserID: c.advertiser, CampaignID: t.click.campaign, CreatorID: t.click.creator,
				TaskID: t.click.task, LinkID: t.click.link, Platform: t.click.platform, Event: c.event, ClickID: t.click.id, Referral: "click", Currency: t.click.currency,
				State: actionStates[random.IntN(6)], Seq: 5, ClickTimeMs: t.click.at.UnixMilli(), EventTimeMs: c.at.UnixMilli(), Reasons: ledger.Reasons{},
			})
		}
		j.conversions = append(j.conversions, c)
	}
	return j
}

func (t *touchOf) time() time.Time {
	if t.click == nil {
		return time.UnixMilli(0).UTC()
	}
	return t.click.at
}

func (j *journey) store(t *testing.T, conn driver.Conn) {
	t.Helper()
	insert(t, conn, j.clicks)
	batchOf := func(name, query string) driver.Batch {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(t.Name()+name)))
		batch, err := conn.PrepareBatch(ctx, query)
		must(t, err)
		return batch
	}
	for version := range uint64(2) { // many were seen twice
		batch := batchOf(fmt.Sprint("landings", version), "INSERT INTO landings (click_id, click_time, advertiser_id, campaign_id, creator_id, task_id, link_id, platform, seen_at, version)")
		for i, c := range j.clicks {
			if j.landed[i] {
				must(t, batch.Append(c.id, c.at, c.advertiser, c.campaign, c.creator, c.task, c.link, c.platform, c.at.Add(time.Second), version))
			}
		}
		must(t, batch.Send())
	}
	var actions []ledger.ActionRecord
	for version := range uint64(2) { // the first version knew no touches
		batch := batchOf(fmt.Sprint("conversions", version), `INSERT INTO conversions (id, advertiser_id, event, event_time, customer, code, code_credited, code_creator,
			touch_ids, touch_times, touch_links, touch_tasks, touch_creators, touch_campaigns, touch_platforms, touch_verdicts, touch_outcomes, touch_reasons, version)`)
		for _, c := range j.conversions {
			columns := make([][]string, 9)
			times := []time.Time{}
			for i := range columns {
				columns[i] = []string{}
			}
			for i, touch := range c.touches {
				if version == 0 {
					break
				}
				k := touch.click
				if k == nil {
					k = &stored{id: fmt.Sprint("forged-", i)}
				}
				times = append(times, touch.time())
				for n, value := range []string{k.id, k.link, k.task, k.creator, k.campaign, k.platform, k.verdict, touch.outcome, touch.reason} {
					columns[n] = append(columns[n], value)
				}
			}
			must(t, batch.Append(c.id, c.advertiser, c.event, c.at, c.customer, c.code, uint8(len(c.code)%2), c.codeOwner,
				columns[0], times, columns[1], columns[2], columns[3], columns[4], columns[5], columns[6], columns[7], columns[8], version))
		}
		must(t, batch.Send())
	}
	for _, c := range j.conversions {
		actions = append(actions, c.actions...)
	}
	storeRecords(t, conn, actions)
}

// visits are the clicks of people before the conversion, oldest first.
func (c *converted) visits() []*stored {
	var visits []*stored
	for _, touch := range c.touches {
		if touch.click != nil && touch.click.verdict == "valid" && !touch.click.at.After(c.at) {
			visits = append(visits, touch.click)
		}
	}
	return visits
}
