package links

import (
	"fmt"
	"math"
	"testing"

	"tributary/attribution"
)

func TestCompileTargeting(t *testing.T) {
	if got := CompileTargeting(nil, nil); got != nil {
		t.Errorf("nothing compiles to %+v", got)
	}
	got := CompileTargeting([]attribution.DestinationRule{
		{
			When: attribution.RuleWhen{
				Countries: []string{"th", "SG", "TH"},
				Devices:   []string{"Phone"},
				OS:        []string{"iOS", "Android"},
				Languages: []string{"pt-BR", "EN"},
				After:     "2026-03-01T00:00:00.250+07:00",
				Before:    "2026-04-01T00:00:00Z",
				Query:     map[string]string{"utm": "x", "any": ""},
			},
			Destination: "https://shop.example/a",
		},
		{Destination: "https://shop.example/everybody"},
		{When: attribution.RuleWhen{Before: "next week"}, Destination: "https://shop.example/never"},
	}, []attribution.SplitArm{
		{Destination: "https://a.example", Weight: 3},
		{Destination: "https://none.example", Weight: -1},
		{Destination: "https://b.example", Weight: 7},
	})
	want := &Targeting{
		Rules: []Rule{
			{
				Destination: []byte("https://shop.example/a"),
				Countries:   []string{"SG", "TH"},
				Devices:     []string{"phone"},
				OS:          []string{"android", "ios"},
				Languages:   []string{"en", "pt-br"},
				Query:       []QueryCondition{{"any", ""}, {"utm", "x"}},
				FromMs:      1_772_298_000_250,
				UntilMs:     1_775_001_600_000,
			},
			{Destination: []byte("https://shop.example/everybody"), FromMs: math.MinInt64, UntilMs: math.MaxInt64},
			{Destination: []byte("https://shop.example/never"), FromMs: math.MaxInt64, UntilMs: math.MinInt64},
		},
		Split:      []Arm{{[]byte("https://a.example"), 3}, {[]byte("https://none.example"), 3}, {[]byte("https://b.example"), 10}},
		SplitTotal: 10,
	}
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("targeting is\n%s, want\n%s", got, want)
	}
}
