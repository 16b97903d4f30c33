package attribution

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(text string) Instant {
	var i Instant
	if err := i.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return i
}

func percent(rate Decimal) Terms {
	return Terms{Events: map[string]Payout{"sale": {Type: "percent", Rate: rate}}}.WithDefaults()
}

func liveCampaign(id string, terms Terms, creators ...string) *CampaignCase {
	c := &CampaignCase{
		ID: id, Currency: "USD", Zone: time.UTC, Terms: terms, TermsVersion: 1, Creators: map[string]*CreatorCase{},
		States: []CampaignStateFrom{{State: CampaignState{Approved: true, StartsAtMs: 0, EndsAtMs: 1 << 50}}},
	}
	for _, creator := range creators {
		c.Creators[creator] = &CreatorCase{Joined: []Span{{}}}
	}
	return c
}

func TestCreditsAndMoneyAreConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := percent(Decimal(Rate(rapid.Int64Range(0, int64(RateOne)).Draw(t, "rate")).String()))
		terms.Model = rapid.SampledFrom([]string{"last", "first", "linear", "position", "time_decay"}).Draw(t, "model")
		terms.ClickWindowDays = 365
		event := at("2027-06-01T00:00:00Z")
		input := &Case{
			Conversion: &Conversion{Event: "sale", OrderID: "o", AmountMinor: rapid.Int64Range(0, 1e12).Draw(t, "amount"), Currency: "USD", EventTime: event, ReceivedAt: event},
			Campaigns:  map[string]*CampaignCase{"c": liveCampaign("c", terms, "a", "b", "d")},
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "touches") {
			creator := rapid.SampledFrom([]string{"a", "b", "d"}).Draw(t, "creator")
			input.Touches = append(input.Touches, Touch{
				ClickID: string(rune('A' + i)), At: event - Instant(rapid.Int64Range(-1e8, 360*86400_000).Draw(t, "age")),
				CreatorID: creator, TaskID: creator + rapid.SampledFrom([]string{"1", "2"}).Draw(t, "task"), CampaignID: "c", Named: true,
			})
		}
		decision := Decide(input)
		shuffled := *input
		shuffled.Touches = slices.Clone(input.Touches)
		rand.Shuffle(len(shuffled.Touches), func(i, j int) {
			shuffled.Touches[i], shuffled.Touches[j] = shuffled.Touches[j], shuffled.Touches[i]
		})
		if again := Decide(&shuffled); !slices.Equal(again.Credits, decision.Credits) || again.Reason != decision.Reason {
			t.Fatalf("the order of the touches changed the decision: %+v, %+v", decision.Credits, again.Credits)
		}
		if len(decision.Credits) == 0 {
			if decision.Reason == "" {
				t.Fatal("nobody earned, for no reason")
			}
			return
		}
		var amount, payout int64
		sum := Fraction{0, 1}
		for _, c := range decision.Credits {
			amount, payout = amount+c.AmountMinor, payout+c.IntendedMinor
			sum = reduced(sum.Num*c.Share.Den+c.Share.Num*sum.Den, sum.Den*c.Share.Den)
			if c.ClickTime > event {
				t.Fatalf("a click after the sale was paid: %+v", c)
			}
			if c.Share.Den > 1e6 {
				sum = whole // time decay: the weights are checked by their own test
			}
		}
		if sum != whole || amount != input.Conversion.AmountMinor {
			t.Fatalf("credits sum to %v, amounts to %d of %d", sum, amount, input.Conversion.AmountMinor)
		}
		if want := wholePayout(input.Conversion, &terms, nil, "", "USD").minor(whole); payout != want {
			t.Fatalf("payouts sum to %d, want %d", payout, want)
		}
	})
}

func TestForcedCreditWithoutARateIsNone(t *testing.T) {
	decision := Decide(&Case{
		Conversion: &Conversion{Event: "sale", AmountMinor: 100, Currency: "EUR", ForcedCreatorID: "a"},
		Forced:     &PromoCode{TaskID: "t", CreatorID: "a", CampaignID: "c"},
		Campaigns:  map[string]*CampaignCase{"c": liveCampaign("c", percent("0.10"), "a")},
	})
	if len(decision.Credits) != 0 || decision.Reason != ReasonCurrencyMismatch {
		t.Errorf("decided %+v", decision)
	}
}

func BenchmarkDecideFiveTouches(b *testing.B) {
	terms := percent("0.10")
	terms.Model = "linear"
	event := at("2027-06-01T00:00:00Z")
	input := &Case{
		Conversion: &Conversion{Event: "sale", AmountMinor: 12345, Currency: "USD", EventTime: event, ReceivedAt: event},
		Campaigns:  map[string]*CampaignCase{"c": liveCampaign("c", terms, "a", "b", "d", "e", "f")},
	}
	for i, creator := range []string{"a", "b", "d", "e", "f"} {
		input.Touches = append(input.Touches, Touch{ClickID: creator, At: event - Instant(i)*86400_000 - 1, CreatorID: creator, TaskID: creator, CampaignID: "c", Named: true})
	}
	b.ReportAllocs()
	for b.Loop() {
		Decide(input)
	}
}
