package attribution

import (
	"strings"
	"testing"
)

func TestCheckDestination(t *testing.T) {
	domains := []string{"shop.example", "Boutique.Example:8443", "secure.example:443", "127.0.0.1", "localhost"}
	good := []string{
		"https://shop.example", "https://shop.example/", "HTTP://SHOP.EXAMPLE/p", "https://www.shop.example/p?a=1#top",
		"https://shop.example:443/", "https://shop.example:8080/", "https://boutique.example:8443/", "https://www.boutique.example:8443/",
		"https://secure.example/", "https://secure.example:443/", "http://127.0.0.1:9000/p", "http://localhost:1/", "http://shop.localhost/",
		"https://shop.example/{click_id}/p?c={click_id}&{sub1}={sub1}&x={unknown}#{ts}", "https://shop.example/ผ้า?q=é", "https://shop.example/%zz?a=%",
		"https://shop.example/@evil.test", "https://shop.example?@evil.test", "https://shop.example#@evil.test", "https://shop.example//evil.test",
		"https://xn--80ak6aa92e.shop.example/", "https://shop.example/" + strings.Repeat("x", MaxDestinationBytes-len("https://shop.example/")),
	}
	for _, raw := range good {
		if err := CheckDestination(raw, domains); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if !DestinationAllowed([]byte(raw), domains) {
			t.Errorf("%s is not allowed", raw)
		}
	}
	bad := map[string]string{
		"":                                  "http://",
		"shop.example":                      "http://",
		"//shop.example/":                   "http://",
		"https:/shop.example":               "http://",
		"javascript:alert(1)":               "http://",
		"ftp://shop.example/":               "http://",
		" https://shop.example/":            "http://",
		"https://shop.example/a b":          "spaces",
		"https://shop.example/\r\nX: 1":     "control characters",
		"https://shop.example/\x00":         "control characters",
		"https://shop.example\\@evil.test/": "backslash",
		"https://shop.example@evil.test/":   "user name",
		"https://me:secret@shop.example/":   "user name",
		"https://":                          "must have a host",
		"https:///shop.example":             "must have a host",
		"https://shop.example./":            "must have a host",
		"https://shop..example/":            "must have a host",
		"https://{sub1}.shop.example/":      "must have a host",
		"https://ร้าน.shop.example/":        "xn--",
		"https://shop%2eexample/":           "must have a host",
		"http://[::1]/":                     "must have a host",
		"https://" + strings.Repeat("a", 64) + ".shop.example/":            "must have a host",
		"https://" + strings.Repeat("a.", 125) + "shop.example/":           "must have a host",
		"https://shop.example:/":                                           "port",
		"https://shop.example:0/":                                          "port",
		"https://shop.example:080/":                                        "port",
		"https://shop.example:65536/":                                      "port",
		"https://shop.example:8o/":                                         "port",
		"https://evil.test/":                                               "one of the advertiser's domains (shop.example, ",
		"https://evilshop.example/":                                        "not to evilshop.example",
		"https://shop.example.evil.test/":                                  "not to shop.example.evil.test",
		"https://boutique.example/":                                        "not to boutique.example",
		"https://boutique.example:8444/":                                   "not to boutique.example",
		"http://secure.example/":                                           "not to secure.example",
		"http://evil.127.0.0.1/":                                           "not to evil.127.0.0.1",
		"http://127.1/":                                                    "not to 127.1",
		"https://shop.example/" + strings.Repeat("x", MaxDestinationBytes): "at most 2048 bytes",
	}
	for raw, want := range bad {
		if err := CheckDestination(raw, domains); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
		if DestinationAllowed([]byte(raw), domains) {
			t.Errorf("%s is allowed", raw)
		}
	}
	for _, none := range [][]string{nil, {}, {""}, {":8443"}} {
		if CheckDestination("https://shop.example/", none) == nil {
			t.Errorf("allowed without a domain, by %q", none)
		}
	}
}

func TestDestinationAllowedAllocatesNothing(t *testing.T) {
	domains := []string{"boutique.example:8443", "shop.example"}
	for _, raw := range []string{"https://www.shop.example/ผ้า?q=1", "https://evil.test/", "https://shop.example\\@evil.test"} {
		url := []byte(raw)
		if n := testing.AllocsPerRun(100, func() { DestinationAllowed(url, domains) }); n != 0 {
			t.Errorf("%s: %v allocations", raw, n)
		}
	}
}
