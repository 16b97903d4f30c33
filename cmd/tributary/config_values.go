package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/churl"

	"tributary/admin/notify"
	"tributary/ledger"
	"tributary/redirect/verdict"
)

// A DSN is an address that may hold credentials: it never prints them.
type DSN string

// String is the address without credentials and parameters.
func (d DSN) String() string { return redactURL(string(d)) }

// LogValue keeps credentials out of logs.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }

// GoString keeps credentials out of %#v.
func (d DSN) GoString() string { return strconv.Quote(d.String()) }

// redactURL keeps scheme, host and path. What is no URL might be all secret.
func redactURL(value string) string {
	if value == "" {
		return ""
	}
	u, err := churl.Parse(value) // several hosts too
	if err != nil || u.Host == "" {
		return "…"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func (c *checker) rate(name, value string) verdict.Rate {
	rate, err := verdict.ParseRate(value)
	if err != nil {
		c.bad(name, value, "must be hits in a second, minute or hour, such as 10/s, 600/min or 5000/h, or 0 for no limit")
	}
	return rate
}

func (c *checker) duration(name, value string, least, most time.Duration, example string) time.Duration {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		c.bad(name, value, "must be a duration with its unit (us, ms, s, m, h), such as %s", example)
	case d < least || d > most:
		c.bad(name, value, "must be %s to %s", least, most)
	}
	return d
}

func (c *checker) address(name, value string) string {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		c.bad(name, value, "must be a host and a port, such as 127.0.0.1:8080, or a port alone, such as :8080")
		return value
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		c.bad(name, value, "the port must be a number from 0 (any free one) to 65535")
	}
	return value
}

// readersAddress checks where the embedded ClickHouse answers readers. It asks them
// for no password, so it answers this machine alone.
func (c *checker) readersAddress(name, value, clickhouse string) string {
	if value == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(value)
	address, notAddress := netip.ParseAddr(host)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case embeddedIsNone(clickhouse) != "":
		c.bad(name, value, "is the embedded ClickHouse's, and --clickhouse names another: ask that one, and leave this out")
	case err != nil || notNumber != nil || number == 0:
		c.bad(name, value, "must be a loopback address and a port, such as 127.0.0.1:8123")
	case host != "localhost" && (notAddress != nil || !address.IsLoopback()):
		c.bad(name, value, "must be a loopback address, such as 127.0.0.1:8123, because it asks for no password: for other machines put a proxy that does before it")
	}
	return value
}

func (c *checker) networks(name string, values []string) []netip.Prefix {
	var networks []netip.Prefix
	for _, value := range values {
		value = strings.TrimSpace(value)
		if address, err := netip.ParseAddr(value); err == nil && address.Zone() == "" {
			networks = append(networks, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(value)
		switch {
		case err != nil:
			c.bad(name, value, "must be a network, such as 10.0.0.0/8, or an address")
		case network != network.Masked():
			c.bad(name, value, "has bits beyond its mask; write %s", network.Masked())
		default:
			networks = append(networks, network)
		}
	}
	return networks
}

// hostName is a name that certificates are had for: two labels or more, in lower case
// and ASCII (RFC 1123 section 2.1), the last one no number.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

const (
	maxHostName    = 253 // bytes, RFC 1035 section 2.3.4
	maxLinkDomains = 10_000
)

func (c *checker) hosts(name string, values []string) []string {
	var hosts []string
	for _, value := range values {
		host := strings.ToLower(strings.TrimSpace(value))
		if len(host) > maxHostName || !hostName.MatchString(host) {
			c.bad(name, value, "must be a host name alone, such as go.creator.example: no scheme, port, path or *, and other scripts as xn--…")
			continue
		}
		hosts = append(hosts, host)
	}
	if len(hosts) > maxLinkDomains {
		c.bad(name, strconv.Itoa(len(hosts))+" hosts", "must be %d at most", maxLinkDomains)
	}
	return hosts
}

func (c *checker) dsn(name, value, want string, schemes ...string) DSN {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err == nil && u.Hostname() != "" {
		for _, scheme := range schemes {
			if u.Scheme == scheme {
				return DSN(value)
			}
		}
	}
	c.bad(name, redactURL(value), "must be %s", want)
	return ""
}

// smtp checks the address of a mail server, and that it says whom e-mails are from.
func (c *checker) smtp(name, value string) DSN {
	if value == "" {
		return ""
	}
	if _, err := notify.ParseServer(value); err != nil {
		c.bad(name, redactURL(value), "%v", err)
		return ""
	}
	return DSN(value)
}

// hostAndPort is the form of a server's address.
var hostAndPort = regexp.MustCompile(`^[a-zA-Z0-9.-]+:[0-9]{1,5}$`)

func (c *checker) redis(name string, values []string) []DSN {
	var servers []DSN
	for _, value := range values {
		value = strings.TrimSpace(value)
		if _, err := netip.ParseAddrPort(value); err == nil || hostAndPort.MatchString(value) {
			servers = append(servers, DSN("redis://"+value))
			continue
		}
		if server := c.dsn(name, value, "an address such as 127.0.0.1:6379, or a URL such as redis://user:password@host:6379/0", "redis", "rediss"); server != "" {
			servers = append(servers, server)
		}
	}
	return servers
}

// minMaxLinks is the least a tracker may be told to hold: fewer than are clicked
// within seconds would make every click ask Redis.
const minMaxLinks = 1000

func (c *checker) maxLinks(name, value string) int {
	most, err := strconv.Atoi(value)
	if err != nil || most != 0 && (most < minMaxLinks || most > math.MaxInt32) {
		c.bad(name, value, "must be a number of links from %d on, or 0 for all", minMaxLinks)
		return 0
	}
	return most
}

// maxRetentionMonths bounds retention: a hundred years.
const maxRetentionMonths = 1200

// retention reads "clicks=25 months" into months; 0 is for ever. Clicks are the
// one thing that is not kept for ever, and ClickHouse drops them month by month.
func (c *checker) retention(name string, values []string) (clickMonths int) {
	for _, value := range values {
		what, span, _ := strings.Cut(value, "=")
		months, ok := parseMonths(strings.TrimSpace(span))
		if strings.TrimSpace(what) != "clicks" || !ok {
			c.bad(name, value, "must be clicks= and a number of months or years up to 100 years, such as clicks=25 months, or clicks=forever")
			continue
		}
		clickMonths = months
	}
	return clickMonths
}

// parseMonths reads "25 months", "2 years" or "forever".
func parseMonths(span string) (months int, ok bool) {
	if span == "forever" {
		return 0, true
	}
	digits := strings.TrimRight(span, " abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > maxRetentionMonths {
		return 0, false
	}
	switch strings.TrimSuffix(strings.TrimSpace(span[len(digits):]), "s") {
	case "month":
		months = n
	case "year":
		months = 12 * n
	}
	return months, months > 0 && months <= maxRetentionMonths
}

// maxCutoffDay is the last day that every month has.
const maxCutoffDay = 28

// postCutoff reads "5 Asia/Singapore".
func (c *checker) postCutoff(name, value string) ledger.PostCutoff {
	day, zone, _ := strings.Cut(strings.TrimSpace(value), " ")
	number, notNumber := strconv.Atoi(day)
	location, err := time.LoadLocation(strings.TrimSpace(zone))
	if notNumber != nil || number < 1 || number > maxCutoffDay || err != nil || location == time.Local || strings.TrimSpace(zone) == "" {
		c.bad(name, value, "must be a day of the month from 1 to %d and an IANA time zone, such as 5 Asia/Singapore", maxCutoffDay)
		return ledger.PostCutoff{}
	}
	return ledger.PostCutoff{Day: number, Zone: location}
}

// rootCause drops the path an os error repeats.
func rootCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
