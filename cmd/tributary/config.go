package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"tributary/ledger"
	"tributary/redirect/verdict"
)

// Options are the settings of one app, checked and typed.
type Options struct {
	DataDir           string
	Secrets           string // file that nodes share; empty: in DataDir
	TrackerAddr       string
	AdminAddr         string
	BaseURL           string // scheme and host, no slash at the end
	LinkDomains       []string
	ClickHouse        DSN    // empty: embedded
	ClickHouseCluster string // empty: one server
	ClickhouseListen  string // loopback address for readers of the embedded one; empty: none
	Database          DSN    // empty: SQLite in DataDir
	Redis             []DSN
	MaxLinks          int  // held in memory; 0: all
	Tracker, Admin    bool // roles
	GeoIP             []string
	ClickFsync        time.Duration // 0: the shopper waits for the disk
	TrustedProxies    []netip.Prefix
	RateLimit         verdict.Rate
	SMTP              DSN
	WebhookNetworks   []netip.Prefix // not public, and webhooks may be sent there all the same
	PostCutoff        ledger.PostCutoff
	DrainDelay        time.Duration // from when the process is told to stop until it begins to
	ShutdownTimeout   time.Duration
	EngineLibrary     string
	Crawlers          string
	// ClickRetentionMonths is how long clicks are kept; 0: for ever.
	ClickRetentionMonths int
	LogLevel             slog.Level
	LogJSON              bool
	Sandbox              bool
	Demo                 bool
	AdminKey             DSN // TRIBUTARY_ADMIN_KEY, empty when not given; secret like a DSN
}

// A BadSettings error lists every setting that cannot be used.
type BadSettings []string

func (b BadSettings) Error() string {
	noun := "settings"
	if len(b) == 1 {
		noun = "setting"
	}
	return fmt.Sprintf("%d %s cannot be used:\n  %s", len(b), noun, strings.Join(b, "\n  "))
}

// The bounds of durations.
const (
	maxClickFsync      = 10 * time.Second
	maxShutdownTimeout = 10 * time.Minute
	maxDrainDelay      = 10 * time.Minute
)

// adminKeyPrefix and minAdminKey are the form of a key given from outside.
const (
	adminKeyVariable = "TRIBUTARY_ADMIN_KEY"
	adminKeyPrefix   = "trb_"
	minAdminKey      = 32
)

// Options checks every setting and returns them typed, or a BadSettings error
// that names all that are wrong.
func (s *Settings) Options(from *layers) (Options, error) {
	c := checker{layers: from, problems: slices.Clone(from.problems)}
	o := Options{
		DataDir:              c.required("data", s.Data, "must be a directory"),
		TrackerAddr:          c.address("tracker-addr", s.TrackerAddr),
		AdminAddr:            c.address("admin-addr", s.AdminAddr),
		BaseURL:              c.origin("base-url", s.BaseURL),
		LinkDomains:          c.hosts("link-domains", s.LinkDomains),
		ClickHouse:           c.clickhouse("clickhouse", embeddedIsNone(s.Clickhouse), s.ClickhouseCluster),
		ClickHouseCluster:    s.ClickhouseCluster,
		ClickhouseListen:     c.readersAddress("clickhouse-listen", s.ClickhouseListen, s.Clickhouse),
		Redis:                c.redis("redis", s.Redis),
		MaxLinks:             c.maxLinks("max-links", s.MaxLinks),
		GeoIP:                c.files("geoip", s.GeoIP),
		ClickFsync:           c.duration("click-fsync", s.ClickFsync, 0, maxClickFsync, "20ms"),
		TrustedProxies:       c.networks("trusted-proxies", s.TrustedProxies),
		RateLimit:            c.rate("rate-limit", s.RateLimit),
		SMTP:                 c.smtp("smtp", s.SMTP),
		WebhookNetworks:      c.networks("webhook-networks", s.WebhookNetworks),
		PostCutoff:           c.postCutoff("post-cutoff", s.PostCutoff),
		DrainDelay:           c.duration("drain-delay", s.DrainDelay, 0, maxDrainDelay, "5s"),
		ShutdownTimeout:      c.duration("shutdown-timeout", s.ShutdownTimeout, time.Second, maxShutdownTimeout, "15s"),
		EngineLibrary:        c.file("engine-library", s.EngineLibrary),
		Crawlers:             c.file("crawlers", s.Crawlers),
		ClickRetentionMonths: c.retention("retention", s.Retention),
		LogLevel:             c.level("log-level", s.LogLevel),
		LogJSON:              c.choice("log-format", s.LogFormat, "text", "json") == "json",
		Sandbox:              c.onOff("sandbox", s.Sandbox),
		Demo:                 c.onOff("demo", s.Demo),
		AdminKey:             c.adminKey(),
	}
	o.Tracker, o.Admin = c.roles("roles", s.Roles)
	s.StoreSettings.check(&c, &o)
	c.severalNodes(o)
	return o, c.err()
}

// severalNodes refuses stores that only one process can use where there must be
// others.
func (c *checker) severalNodes(o Options) {
	if o.Tracker != o.Admin && (o.Database == "" || o.ClickHouse == "") {
		alone, others := "tracker", "admin"
		if o.Admin {
			alone, others = others, alone
		}
		c.bad("roles", alone, "needs other nodes with the role %s, and stores that they can use too: give all of them --database postgres://… and --clickhouse DSN, or this one both roles", others)
	}
	if len(o.Redis) > 0 && o.Database == "" {
		c.bad("redis", o.Redis[0].String(), "is for several nodes, which need a database that they can all use: --database postgres://…; a single node needs no Redis")
	}
	if o.MaxLinks > 0 && len(o.Redis) == 0 {
		c.bad("max-links", strconv.Itoa(o.MaxLinks), "needs --redis, where the links that are not held are found; leave it out to hold all")
	}
}

// Options checks the settings of a verb that works on the stores alone.
func (s *StoreSettings) Options(from *layers) (Options, error) {
	c := checker{layers: from, problems: slices.Clone(from.problems)}
	var o Options
	s.check(&c, &o)
	return o, c.err()
}

func (s *StoreSettings) check(c *checker, o *Options) {
	o.DataDir = c.required("data", s.Data, "must be a directory")
	o.Secrets = s.Secrets
	o.Database = c.dsn("database", embeddedIsNone(s.Database), "embedded, or a DSN such as postgres://user:password@host:5432/tributary", "postgres", "postgresql")
}

func embeddedIsNone(dsn string) string {
	if dsn == "embedded" {
		return ""
	}
	return dsn
}

// A checker turns written settings into values and collects what is wrong.
type checker struct {
	layers   *layers
	problems []string
}

// err is nil, or every problem there is.
func (c *checker) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return BadSettings(c.problems)
}

// bad records that a setting cannot be used. value is shown, so it must not be
// a secret.
func (c *checker) bad(name, value, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf("%s %q: %s", c.layers.called(name), value, fmt.Sprintf(format, args...)))
}

func (c *checker) required(name, value, message string) string {
	if value == "" {
		c.bad(name, value, "%s", message)
	}
	return value
}

func (c *checker) choice(name, value string, allowed ...string) string {
	if !slices.Contains(allowed, value) {
		c.bad(name, value, "must be %s", strings.Join(allowed, " or "))
	}
	return value
}

func (c *checker) onOff(name string, value onOff) bool {
	switch value {
	case "true", "on", "yes", "1":
		return true
	case "", "false", "off", "no", "0":
		return false
	}
	c.bad(name, string(value), "must be true or false")
	return false
}

func (c *checker) level(name, value string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(value)); err != nil || strings.ContainsAny(value, "+-") {
		c.bad(name, value, "must be debug, info, warn or error")
	}
	return level
}

func (c *checker) roles(name string, values []string) (tracker, admin bool) {
	for _, role := range values {
		switch strings.TrimSpace(role) {
		case "tracker":
			tracker = true
		case "admin":
			admin = true
		default:
			c.bad(name, role, "must be tracker, admin or both")
			return true, true // nothing is concluded from it
		}
	}
	if len(values) == 0 {
		c.bad(name, "", "must be tracker, admin or both")
	}
	return tracker, admin
}

// file checks that a file can be read; an empty name is none.
func (c *checker) file(name, path string) string {
	if path == "" {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		c.bad(name, path, "cannot read the file: %v", rootCause(err))
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		c.bad(name, path, "must be a file")
	}
	return path
}

func (c *checker) files(name string, paths []string) []string {
	var found []string
	for _, path := range paths {
		if path = c.file(name, strings.TrimSpace(path)); path != "" {
			found = append(found, path)
		}
	}
	return found
}

// origin checks a URL that is a scheme and a host and nothing more.
func (c *checker) origin(name, value string) string {
	u, err := url.Parse(strings.TrimSuffix(value, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		c.bad(name, redactURL(value), "must be the origin shoppers see, without a path, such as https://go.example.com")
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

func (c *checker) adminKey() DSN {
	key := os.Getenv(adminKeyVariable)
	if key != "" && (!strings.HasPrefix(key, adminKeyPrefix) || len(key) < len(adminKeyPrefix)+minAdminKey || !isToken(key)) {
		c.problems = append(c.problems, fmt.Sprintf("%s: must be %s and %d or more letters, digits, - or _; 'echo %s$(openssl rand -hex 24)' makes one",
			adminKeyVariable, adminKeyPrefix, minAdminKey, adminKeyPrefix))
	}
	return DSN(key)
}

func isToken(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) < 0
}
