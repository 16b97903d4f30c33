package loadgen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Options say what to send.
type Options struct {
	URLs        []string // of one host, http only
	Rate        float64  // requests a second, over all connections
	Duration    time.Duration
	Connections int
	Visitors    int           // different requests
	Timeout     time.Duration // of one answer
	Remote      bool          // hosts other than this machine are allowed
}

// The bounds of a run.
const (
	maxRate        = 1_000_000
	maxConnections = 10_000
	maxVisitors    = 1_000_000
)

// check returns the targets, or everything that is wrong with the options.
func (o *Options) check() (targets []*url.URL, err error) {
	var wrong []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	require(o.Rate > 0 && o.Rate <= maxRate, "--rate must be more than 0 and at most %d requests a second", maxRate)
	require(o.Duration > 0, "--duration must be more than 0")
	require(o.Connections >= 1 && o.Connections <= maxConnections, "--connections must be 1 to %d", maxConnections)
	require(o.Visitors >= 1 && o.Visitors <= maxVisitors, "--visitors must be 1 to %d", maxVisitors)
	require(o.Timeout > 0, "--timeout must be more than 0")
	require(len(o.URLs) > 0, "--url is missing: give a tracking link, such as http://127.0.0.1:8080/k3VbQ9xT")
	for _, text := range o.URLs {
		target, err := url.Parse(text)
		if err != nil || target.Scheme != "http" || target.Host == "" {
			require(false, "--url %q must begin with http:// and a host", text)
			continue
		}
		require(o.Remote || isLoopback(target.Hostname()), "--url %q is not this machine: give --remote if you may put it under load", text)
		require(len(targets) == 0 || targets[0].Host == target.Host, "--url %q has another host than %q: one run loads one host", text, o.URLs[0])
		targets = append(targets, target)
	}
	return targets, errors.Join(wrong...)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// dialAddress is the host and port of a target.
func dialAddress(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(target.Hostname(), port)
}
