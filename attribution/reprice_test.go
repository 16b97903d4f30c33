package attribution

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestRepriceAgrees decides a conversion and prices its credits again, for the
// same amount and for another: as if it had been decided so.
func TestRepriceAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := percent(Decimal(Rate(rapid.Int64Range(0, int64(RateOne)).Draw(t, "rate")).String()))
		terms.Model = rapid.SampledFrom([]string{"last", "first", "linear", "position", "time_decay"}).Draw(t, "model")
		event := at("2027-06-01T00:00:00Z")
		decide := func(amount int64, touches []Touch) (*Case, []Credit) {
			input := &Case{
				Conversion: &Conversion{Event: "sale", OrderID: "o", AmountMinor: amount, Currency: "USD", EventTime: event, ReceivedAt: event},
				Campaigns:  map[string]*CampaignCase{"c": liveCampaign("c", terms, "a", "b", "d")}, Touches: touches,
			}
			return input, Decide(input).Credits
		}
		var touches []Touch
		for i, creator := range []string{"a", "b", "d"}[:rapid.IntRange(1, 3).Draw(t, "touches")] {
			touches = append(touches, Touch{ClickID: creator, At: event - Instant(rapid.Int64Range(0, 29*86400_000).Draw(t, "age")),
				CreatorID: creator, TaskID: string(rune('1' + i)), CampaignID: "c", Named: true})
		}
		_, before := decide(rapid.Int64Range(0, 1e9).Draw(t, "before"), touches)
		input, want := decide(rapid.Int64Range(0, 1e9).Draw(t, "now"), touches)
		if got := Reprice(input, before); !slices.Equal(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for _, c := range want {
			if ParseFraction(c.Share.String()) != c.Share {
				t.Fatalf("%v is read as %v", c.Share, ParseFraction(c.Share.String()))
			}
		}
	})
	for _, text := range []string{"", "x", "1/0", "1/x", "1/-2"} {
		if got := ParseFraction(text); got != (Fraction{0, 1}) {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
