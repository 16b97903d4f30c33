package ledger

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

// A pair is a shop with a second creator, and sales that both led to, Ana first.
type pair struct {
	*shop
	second catalog.Creator
	link2  catalog.Link
}

func newPair(t testing.TB, more string) *pair {
	t.Helper()
	p := &pair{shop: newShop(t, more)}
	p.second, p.link2 = p.join("Ben")
	return p
}

func (p *pair) both(order, amount string) Settled {
	p.Helper()
	first := p.click(p.link, attribution.Valid)
	p.nowMs.Add(1000)
	last := p.click(p.link2, attribution.Valid)
	return p.sale(order, amount, last, fmt.Sprintf(`"click_ids":[%q]`, first))
}

func (p *pair) asked(model string) Reattribution {
	return Reattribution{AdvertiserID: p.advertiser.ID, From: instant("2027-01-01T00:00:00Z"), To: instant("2027-06-01T00:00:00Z"), Model: model}
}

func (p *pair) replay(asked Reattribution) Reattributed {
	p.Helper()
	return must(p.Reattribute(p.ctx, adminScope, asked))(p)
}

// worths is what each creator has of an order: "Ana Ben".
func (p *pair) worths(order string) string {
	p.Helper()
	sums := map[string]int64{}
	for _, a := range p.actions(order) {
		if a.State != Reversed {
			minor := must(attribution.ParseMoney(attribution.Decimal(*a.Payout), a.Currency))(p)
			sums[a.CreatorID] += minor
		}
	}
	return attribution.FormatMoney(sums[p.creator.ID], "USD") + " " + attribution.FormatMoney(sums[p.second.ID], "USD")
}

func (p *pair) rows() string {
	p.Helper()
	db := p.raw()
	defer db.Close()
	text := ""
	for _, table := range []string{"actions", "entries", "outbox", "audit_log", "settled", "cap_tallies"} {
		var n int64
		ok(p, db.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&n))
		text += fmt.Sprint(" ", n)
	}
	var committed, ledger, change int64
	ok(p, db.QueryRow("SELECT (SELECT committed_minor FROM campaigns), (SELECT value FROM counters WHERE name = 'ledger'), (SELECT value FROM counters WHERE name = 'change')").Scan(&committed, &ledger, &change))
	return text + fmt.Sprint(" ", committed, ledger, change)
}

func (p *pair) committed() (minor int64) {
	p.Helper()
	ok(p, p.db.View(p.ctx, committedOf(p.campaignID, &minor)))
	return minor
}

func TestReattributeOpen(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	p.both("o1", "120.01") // 10 % is 12.00
	p.both("o2", "0.10")   // 0.01: the odd cent is the earlier's
	equal(t, "last", p.worths("o1"), "0.00 12.00")
	asked := p.asked(attribution.ModelLinear)
	asked.DryRun = true
	before := p.rows()
	dry := p.replay(asked)
	equal(t, "a dry run keeps nothing", p.rows(), before)
	again := p.replay(asked)
	again.RunID = dry.RunID
	equal(t, "deterministic", reflect.DeepEqual(again, dry), true)
	equal(t, "changed", dry.Changed, 2)

	asked.DryRun, asked.RunID = false, dry.RunID
	applied := p.replay(asked)
	applied.DryRun = true
	equal(t, "as the dry run said", reflect.DeepEqual(applied, dry), true)
	equal(t, "linear", p.worths("o1"), "6.00 6.00")
	equal(t, "the odd cent", p.worths("o2"), "0.01 0.00")
	equal(t, "committed", p.committed(), 896+896+1) // payout ÷ 0.67, each rounded
	equal(t, "share", p.actions("o1")[2].Credit, "1/2")
	for _, c := range applied.Creators {
		want := "-6.01"
		if c.CreatorID == p.creator.ID {
			want = "6.01"
		}
		equal(t, "change", c.PayoutChange, want)
	}
	after := p.rows()
	equal(t, "the same run", p.replay(asked).AppliedBefore, true)
	equal(t, "changes nothing", p.rows(), after)
	other := asked
	other.Model = attribution.ModelFirst
	_, err := p.Reattribute(p.ctx, adminScope, other)
	refused(t, "another of its name", err, attribution.CodeConflict)
	asked.RunID = ""
	equal(t, "another run finds nothing", p.replay(asked).Changed, 0)

	p.replay(p.asked(attribution.ModelLast))
	equal(t, "back", p.worths("o1")+" "+p.worths("o2"), "0.00 12.00 0.00 0.01")
	explained := must(p.ExplainAction(p.ctx, adminScope, p.actions("o1")[0].ID))(t)
	equal(t, "decided first", explained.Trace.Replaced.Model, attribution.ModelLast)
	equal(t, "hidden", must(p.ExplainConversion(p.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: p.advertiser.ID}, explained.ConversionID))(t).Trace.Replaced == nil, true)
}

func TestReattributeLocked(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	p.both("o1", "120.00")
	p.advance(9 * day)
	first := p.actions("o1")[0]
	equal(t, "locked", first.State, Locked)
	p.replay(p.asked(attribution.ModelLinear))
	equal(t, "linear", p.worths("o1"), "6.00 6.00")
	all := p.actions("o1")
	equal(t, "untouched", *all[0].Payout+" "+all[0].State+fmt.Sprint(all[0].Seq == first.Seq), "12.00 lockedtrue")
	equal(t, "adjustment", all[1].Referral+" "+*all[1].Payout+" "+*all[1].Corrects, "adjustment -6.00 "+first.ID)
	p.replay(p.asked(attribution.ModelFirst))
	equal(t, "first", p.worths("o1"), "12.00 0.00")
	p.replay(p.asked(attribution.ModelLast))
	equal(t, "last", p.worths("o1"), "0.00 12.00")
	equal(t, "committed", p.committed(), 1791) // 12.00 ÷ 0.67, as before
}

func TestReattributeKeepsToBudgetAndPeople(t *testing.T) {
	t.Parallel()
	p := newPair(t, `{"budget":{"amount":"18.00"}}`)
	p.both("o1", "120.00")
	p.replay(p.asked(attribution.ModelLinear))
	equal(t, "what is taken makes room", p.worths("o1"), "6.00 6.00")
	double := p.asked("")
	double.Terms = &attribution.Terms{Events: map[string]attribution.Payout{"sale": {Type: "percent", Rate: "0.20"}}}
	p.replay(double)
	equal(t, "not over the budget", p.committed() <= 1800, true)

	q := newPair(t, "")
	a := q.both("o1", "120.00").Actions[0]
	q.both("o2", "100.00")
	q.refund("o2", `{"amount":"50.00"}`)
	must(q.Reverse(q.ctx, adminScope, a.ID, "fraud", ""))(t)
	got := q.replay(q.asked(attribution.ModelLinear))
	equal(t, "left alone", got.LeftAlone, 1)
	equal(t, "reversed stays", q.worths("o1"), "0.00 0.00")
	equal(t, "of what is not refunded", q.worths("o2"), "2.50 2.50")

	bots := q.asked("")
	bots.Verdict = func(string) (attribution.Verdict, bool) { return attribution.Bot, true }
	q.replay(bots)
	equal(t, "nobody", q.worths("o2"), "0.00 0.00")
	c := must(q.Ledger.Conversions(q.ctx, adminScope, ConversionFilter{OrderID: "o2"}, Page{}))(t).Items[0]
	equal(t, "reason", *c.Reason+fmt.Sprint(c.Attributed), "click_invalidfalse")
}

func TestReattributeIsBounded(t *testing.T) {
	t.Parallel()
	p := newPair(t, "")
	for name, change := range map[string]func(*Reattribution){
		"range":    func(r *Reattribution) { r.To = r.From },
		"long":     func(r *Reattribution) { r.To += attribution.Instant((400 * day) / time.Millisecond) },
		"model":    func(r *Reattribution) { r.Model = "best" },
		"run":      func(r *Reattribution) { r.RunID = "a/b" },
		"campaign": func(r *Reattribution) { r.CampaignIDs = []string{"cmp_none"} },
		"terms":    func(r *Reattribution) { r.Terms = &attribution.Terms{} },
	} {
		asked := p.asked("")
		change(&asked)
		_, err := p.Reattribute(p.ctx, adminScope, asked)
		refused(t, name, err, attribution.CodeValidation)
	}
	_, err := p.Reattribute(p.ctx, Scope{Role: RoleAdvertiser, AdvertiserID: p.advertiser.ID}, p.asked(""))
	refused(t, "an advertiser", err, attribution.CodeForbidden)
	for i := range 2*reattributionBatch + 1 {
		p.both(fmt.Sprint("o", i), "10.00")
	}
	equal(t, "in batches", p.replay(p.asked(attribution.ModelLinear)).Changed, 2*reattributionBatch+1)
}
