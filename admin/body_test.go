package admin

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tributary/attribution"
	"tributary/catalog"
)

func sortedWords(s string) string {
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestCheckShapeTakesWhatFits(t *testing.T) {
	for body, fits := range map[string]bool{
		`{"budget":{"amount":12.50}}`:                                    true,
		`{"budget":{"amount":"12.50"}}`:                                  true,
		`{"budget":null,"title":null}`:                                   true,
		`{"terms":{"events":{"sale":{"type":"flat","amount":1}}}}`:       true,
		`{"tracking":false,"eligibility":{"age_min":18}}`:                true,
		`{"eligibility":{"age_min":18.5}}`:                               false,
		`{"eligibility":{"age_min":"18"}}`:                               false,
		`{"eligibility":{"age_min":99999999999999999999}}`:               false,
		`{"starts_at":"2027-01-10T09:00:00+07:00"}`:                      true,
		`{"starts_at":1}`:                                                false,
		`{"budget":{"amount":["1"]}}`:                                    false,
		`{"terms":{"events":{"sale\u0000":{"type":"flat","amount":1}}}}`: false,
	} {
		if err := checkBody([]byte(body), reflect.TypeFor[catalog.CampaignFields]()); (err == nil) != fits {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzCheckBody: what passes the shape decodes, and nothing panics.
func FuzzCheckBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"title":"x","budget":{"amount":1}}`, `{"terms":{"events":{}}}`, `{"starts_at":"x"}`, `[`, `{"a":`, "\"\xff\"", `1 2`, `nul`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := checkBody(body, reflect.TypeFor[catalog.CampaignFields]())
		if err != nil {
			if _, ok := attribution.AsProblem(err); !ok {
				t.Fatalf("%q: not a problem: %v", body, err)
			}
			return
		}
		var fields catalog.CampaignFields
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatalf("%q passed and does not decode: %v", body, err)
		}
	})
}
