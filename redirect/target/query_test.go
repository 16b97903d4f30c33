package target

import "testing"

func TestPaidSearchIsNoted(t *testing.T) {
	var q Query
	for raw, want := range map[string]bool{
		"":                        false,
		"gclid=Cj0":               true,
		"utm_source=x&gbraid=0AA": true,
		"wbraid=1":                true,
		"gad_source=1&gclid=":     true,
		"msclkid=ab":              true,
		"yclid=7":                 true,
		"gclid=":                  false,
		"gclid":                   false,
		"fbclid=x&ttclid=y":       false, // social networks add these to every link
		"xgclid=1&gclidx=1":       false,
		"sub1=gclid":              false,
	} {
		if q.Parse([]byte(raw)); q.PaidSearch != want {
			t.Errorf("%q: paid search is %v", raw, q.PaidSearch)
		}
	}
	raw := []byte("utm_source=x&gclid=Cj0&gad_source=1")
	if allocated := testing.AllocsPerRun(100, func() { q.Parse(raw) }); allocated != 0 {
		t.Errorf("noting it takes %v allocations", allocated)
	}
}
