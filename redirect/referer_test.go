package redirect

import "testing"

func TestOfARefererOnlyTheHostIsKept(t *testing.T) {
	for referer, want := range map[string]string{
		"https://l.instagram.com/":                       "l.instagram.com",
		"https://L.Instagram.COM:443/p/secret?token=1#x": "l.instagram.com",
		"https://user:pass@shop.example/":                "shop.example",
		"https://shop.example":                           "shop.example",
		"https://shop.example?q":                         "shop.example",
		`https://shop.example\@evil.example`:             "shop.example",
		"http://[2001:db8::1]:8080/x":                    "[2001:db8::1]",
		"http://[2001:db8::1]/x":                         "[2001:db8::1]",
		"android-app://com.google.android.gm/":           "com.google.android.gm",
		"":                                               "",
		"about:blank":                                    "",
		"not a url":                                      "",
		"https://a b/":                                   "",
		"https://a\x00b/":                                "",
		"https://bücher.example/":                        "",
	} {
		if got := string(appendRefererHost(nil, []byte(referer))); got != want {
			t.Errorf("%q is kept as %q, want %q", referer, got, want)
		}
	}
}

func TestTheFirstLanguageIsTheShoppers(t *testing.T) {
	for header, want := range map[string]string{
		"th-TH,th;q=0.9,en;q=0.8": "th-TH", "en": "en", " de ; q=1": "de", "": "", "*": "", "<script>": "",
		"a-language-tag-that-is-longer-than-any-real-one-is": "",
	} {
		if got := string(firstLanguage([]byte(header))); got != want {
			t.Errorf("%q begins with %q, want %q", header, got, want)
		}
	}
}
