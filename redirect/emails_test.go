package redirect

import (
	"strings"
	"testing"

	"tributary/attribution"
)

func TestEmailsAreMaskedInRecords(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "https://shop.example/p/1?ref=a#top": "https://shop.example/p/1?ref=a#top",
		"https://shop.example/?e=mali@mail.example&x=1":         "https://shop.example/?e=[e-mail]&x=1",
		"https://shop.example/?e=mali%40mail.example&x=1":       "https://shop.example/?e=[e-mail]&x=1",
		"https://shop.example/?e=Mali%2Bs%40Mail.Example":       "https://shop.example/?e=[e-mail]",
		"https://shop.example/mali@mail.example/x?to=b@c.d":     "https://shop.example/[e-mail]/x?to=[e-mail]",
		"https://shop.example/@mali/video?x=%40":                "https://shop.example/@mali/video?x=%40",
		"@":                                                     "@",
		"a@b@c":                                                 "[e-mail]@c",
		"https://shop.example/?e=มะลิ@mail.example":             "https://shop.example/?e=[e-mail]",
		"Mozilla/5.0 (compatible; Bot; +mailto:bot@crawl.test)": "Mozilla/5.0 (compatible; Bot; +mailto:[e-mail])",
	} {
		if got := string(withoutEmails([]byte(text))); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	plain := []byte("https://shop.example/p/1?" + strings.Repeat("ref=abc&", 20))
	if n := testing.AllocsPerRun(100, func() { withoutEmails(plain) }); n != 0 {
		t.Errorf("a text without any costs %v allocations", n)
	}
}

func FuzzEmailsAreMasked(f *testing.F) {
	f.Add("https://shop.example/?e=mali@mail.example")
	f.Add("a%40b%40c@@%4")
	f.Fuzz(func(t *testing.T, text string) {
		once := withoutEmails([]byte(text))
		if len(once) > len(text)*len(attribution.MaskedEmail) {
			t.Errorf("%q grew to %q", text, once)
		}
	})
}
