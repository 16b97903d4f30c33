package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCertificatesAreForLinkDomainsOnly(t *testing.T) {
	var domains linkDomains
	domains.set("https://go.example.com:8443", []string{"go.creator.example", "xn--caf-dma.example"})
	for _, c := range []struct {
		domain string
		want   int
	}{
		{"go.example.com", http.StatusOK},
		{"GO.Creator.Example", http.StatusOK},
		{"go.creator.example.", http.StatusOK},
		{"xn--caf-dma.example", http.StatusOK},
		{"", http.StatusForbidden},
		{".", http.StatusForbidden},
		{"example.com", http.StatusForbidden},
		{"a.go.creator.example", http.StatusForbidden},
		{"go.creator.example:443", http.StatusForbidden},
		{"go.creator.example.evil.example", http.StatusForbidden},
		{"*.creator.example", http.StatusForbidden},
		{strings.Repeat("a.", 4000), http.StatusForbidden},
	} {
		w := httptest.NewRecorder()
		domains.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/domains/allowed?domain="+url.QueryEscape(c.domain), nil))
		if w.Code != c.want {
			t.Errorf("%.60q: %d, want %d", c.domain, w.Code, c.want)
		}
	}
}

func TestLinkDomainsAreReadAsHosts(t *testing.T) {
	o, err := optionsOf(t, "--link-domains", "go.creator.example, Links.Other.Example")
	if err != nil || strings.Join(o.LinkDomains, " ") != "go.creator.example links.other.example" {
		t.Errorf("got %q, %v", o.LinkDomains, err)
	}
}

// TestALinkAnswersOnEveryHost: a slug belongs to the server, whichever of its names a
// shopper came by; who gets certificates asks the admin listener, and a reload is
// enough for another domain.
func TestALinkAnswersOnEveryHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tributary.yml")
	write := func(domains string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("base-url: https://go.example.com\nlink-domains: ["+domains+"]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.creator.example")
	s := startServe(t, t.TempDir(), "--config", file)
	client := s.client()
	link := client.makeLink()
	client.clicked(link, phone)
	for _, host := range []string{"go.example.com", "go.creator.example"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/%s", client.trackerListener.Addr(), link["slug"]), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		answer, err := client.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusFound {
			t.Errorf("%s: %s", host, answer.Status)
		}
	}
	asked := func(domain string) error {
		answer, err := client.http.Get(fmt.Sprintf("http://%s/domains/allowed?domain=%s", client.adminListener.Addr(), domain))
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", domain, answer.Status)
		}
		return nil
	}
	if err := asked("go.creator.example"); err != nil {
		t.Error(err)
	}
	if asked("new.creator.example") == nil {
		t.Error("a host that was never named is allowed")
	}
	write("go.creator.example, new.creator.example")
	s.signal(syscall.SIGHUP)
	eventually(t, func() error { return asked("new.creator.example") })
}
