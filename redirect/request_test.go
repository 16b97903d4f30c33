package redirect

import (
	"bufio"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestHeadersAreReadInOnePass(t *testing.T) {
	raw := "Host: t.example\r\nUSER-AGENT:  Mozilla/5.0 \r\nReferer: https://a.example/\r\nReferer: https://b.example/\r\n" +
		"X-Forwarded-For: 1.1.1.1\r\nAccept-Language: th-TH,th;q=0.9\r\nx-forwarded-for: 2.2.2.2\r\nSec-GPC: 1\r\n" +
		"Sec-Purpose: prefetch\r\nPurpose: preview\r\nX-Moz: prefetch\r\nno colon\r\n: no name\r\n"
	var h requestHeaders
	h.scan([]byte(raw))
	for name, got := range map[string]struct{ got, want string }{
		"user agent":      {string(h.userAgent), "Mozilla/5.0"},
		"referer":         {string(h.referer), "https://a.example/"},
		"accept-language": {string(h.acceptLanguage), "th-TH,th;q=0.9"},
		"x-forwarded-for": {string(h.forwardedFor), "1.1.1.1, 2.2.2.2"},
		"sec-purpose":     {string(h.secPurpose), "prefetch"},
		"purpose":         {string(h.purpose), "preview"},
		"x-moz":           {string(h.xMoz), "prefetch"},
	} {
		if got.got != got.want {
			t.Errorf("%s is %q, want %q", name, got.got, got.want)
		}
	}
	if !h.globalPrivacy || h.contentLength || h.transferCoding {
		t.Errorf("flags are %v %v %v", h.globalPrivacy, h.contentLength, h.transferCoding)
	}
}

func TestAmbiguousRequestsAreRefused(t *testing.T) {
	for request, want := range map[string]string{
		"GET /s HTTP/1.1\r\nHost: t.example\r\n\r\n":                                                     "",
		"GET /s HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n":                                            "",
		"GET /s HTTP/1.0\r\n\r\n":                                                                        "",
		"GET http://t.example/s HTTP/1.1\r\nHost: t.example\r\n\r\n":                                     "",
		"GET http://t.example?x HTTP/1.1\r\nHost: T.example\r\n\r\n":                                     "",
		"GET /s HTTP/2.0\r\nHost: t.example\r\n\r\n":                                                     "HTTP version is neither 1.0 nor 1.1",
		"GET /s HTTP/1.2\r\nHost: t.example\r\n\r\n":                                                     "HTTP version is neither 1.0 nor 1.1",
		"GET /s HTTP/1.1\r\nHost: a@b\r\n\r\n":                                                           "malformed Host",
		"GET /s HTTP/1.1\r\nHost: a/b\r\n\r\n":                                                           "malformed Host",
		"GET http://evil.example/s HTTP/1.1\r\nHost: t.example\r\n\r\n":                                  "request target is not a path",
		"GET http://t.example@evil.example/s HTTP/1.1\r\nHost: t.example\r\n\r\n":                        "request target is not a path",
		"OPTIONS * HTTP/1.1\r\nHost: t.example\r\n\r\n":                                                  "request target is not a path",
		"POST /s HTTP/1.1\r\nHost: t.example\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n": "both Content-Length and Transfer-Encoding",
		"GET /s HTTP/1.1\r\nHost: t.example\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n": "both Content-Length and Transfer-Encoding",
	} {
		var header fasthttp.RequestHeader
		if err := header.Read(bufio.NewReader(strings.NewReader(request))); err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		var seen requestHeaders
		seen.scan(header.RawHeaders())
		if got := refusal(&header, &seen); got != want {
			t.Errorf("%q is refused with %q, want %q", request, got, want)
		}
	}
}

func TestPathAndQueryOfEitherForm(t *testing.T) {
	for target, want := range map[string][2]string{
		"/slug":                          {"/slug", ""},
		"/slug?a=1&b=?":                  {"/slug", "a=1&b=?"},
		"http://t.example/slug?a=1":      {"/slug", "a=1"},
		"http://t.example":               {"/", ""},
		"http://t.example/x?u=http://y/": {"/x", "u=http://y/"},
	} {
		path, query := pathAndQuery([]byte(target))
		if string(path) != want[0] || string(query) != want[1] {
			t.Errorf("%s is %q and %q, want %q", target, path, query, want)
		}
	}
}
