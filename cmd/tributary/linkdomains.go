package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// linkDomains are the hosts somebody may get a certificate for in the name of this
// server. Links answer on every host that leads here, so that a creator's own domain
// needs nothing but a DNS record; but a proxy that got a certificate for every name it
// is asked by would be at the service of whoever invents names.
type linkDomains struct {
	allowed atomic.Pointer[map[string]bool]
}

// set allows the host of baseURL and others.
func (d *linkDomains) set(baseURL string, others []string) {
	allowed := make(map[string]bool, len(others)+1)
	if u, err := url.Parse(baseURL); err == nil {
		allowed[u.Hostname()] = true
	}
	for _, host := range others {
		allowed[host] = true
	}
	d.allowed.Store(&allowed)
}

// ServeHTTP answers GET /domains/allowed?domain=HOST, which is what Caddy asks before
// it gets a certificate: 200 when links are to answer on that host, 403 when not. Only
// the handshake's name decides, and anybody could learn as much by a handshake, so it
// needs no key; like /metrics it is on the admin listener, which shoppers do not reach.
func (d *linkDomains) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(strings.TrimSuffix(r.URL.Query().Get("domain"), "."))
	if !(*d.allowed.Load())[host] {
		http.Error(w, "links do not answer on this host; --link-domains names those they do", http.StatusForbidden)
		return
	}
	_, _ = io.WriteString(w, "links answer on this host\n") // a client that left has no use for it
}
