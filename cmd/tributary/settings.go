package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Settings are the settings of `serve` as they were written: by a flag, by an
// environment variable, in the file or here as the default. Nothing is judged
// yet, so that [Settings.Options] can report every bad one at once. Those tagged
// reload:"live" change while the process runs, at SIGHUP.
type Settings struct {
	StoreSettings

	TrackerAddr       string   `default:":8080" placeholder:"HOST:PORT" help:"Where shoppers and merchants connect: redirects, pixel, tag and conversions."`
	AdminAddr         string   `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where people and their programs connect: API, docs, /metrics, /healthz and /readyz."`
	BaseURL           string   `name:"base-url" default:"http://localhost:8080" placeholder:"URL" help:"Public origin of tracking links."`
	LinkDomains       []string `placeholder:"HOST" help:"More hosts that links work on, such as creators' own: /domains/allowed on the admin listener confirms them to a proxy that gets certificates on demand." reload:"live"`
	Clickhouse        string   `name:"clickhouse" default:"embedded" placeholder:"DSN" help:"Where clicks are analysed: embedded, or a ClickHouse DSN such as clickhouse://user:password@host:9000/tributary, with secure=true for TLS."`
	ClickhouseCluster string   `name:"clickhouse-cluster" placeholder:"NAME" help:"The cluster that the servers of --clickhouse belong to, by its name in their <remote_servers>: tables are then Replicated and Distributed. The DSN may name several hosts: clickhouse://host1:9000,host2:9000/tributary."`
	ClickhouseListen  string   `name:"clickhouse-listen" placeholder:"HOST:PORT" help:"A loopback address where the embedded ClickHouse answers readers such as Grafana: read-only, without a password."`
	Redis             []string `placeholder:"ADDR" help:"Redis or Redis Cluster addresses, for more than one node."`
	MaxLinks          string   `default:"0" placeholder:"N" help:"How many links a tracker holds in memory, those in use; it finds the others in Redis when they are clicked. 0 holds all of them."`
	Roles             []string `default:"tracker,admin" placeholder:"ROLE" help:"What this process does: tracker, admin or both."`
	GeoIP             []string `name:"geoip" placeholder:"FILE" help:"MaxMind-format country, city and network databases. Reloaded when they change." reload:"live"`
	ClickFsync        string   `default:"20ms" placeholder:"DURATION" help:"Longest a click may be recorded but not yet on disk, at most 10s. 0 waits for the disk before the redirect."`
	TrustedProxies    []string `placeholder:"CIDR" help:"Networks whose X-Forwarded-For and X-Forwarded-Proto count." reload:"live"`
	RateLimit         string   `default:"600/min" placeholder:"N/UNIT" help:"Hits per network (/24, /48) and link above which the verdict is rate. Loopback is exempt; 0 turns it off." reload:"live"`
	SMTP              string   `name:"smtp" placeholder:"URL" help:"Mail server for e-mails, such as smtp://user:password@host:587?from=no-reply@example.com (STARTTLS) or smtps://…:465. Without it no e-mails are sent."`

	WebhookNetworks []string `placeholder:"CIDR" help:"Non-public networks that webhooks may be sent to, over plain http too." reload:"live"`

	PostCutoff string `name:"post-cutoff" default:"5 Asia/Singapore" placeholder:"DAY ZONE" help:"When a month's payout run closes to posts: 00:00 of this day of the next month, in this time zone. Posts approved later are in the next run."`

	DrainDelay      string   `default:"0s" placeholder:"DURATION" help:"How long the process goes on serving after it is told to stop, while /readyz already fails: several seconds behind a load balancer, so that it stops sending shoppers here." reload:"live"`
	ShutdownTimeout string   `default:"15s" placeholder:"DURATION" help:"Longest a stop may take, after the drain delay." reload:"live"`
	EngineLibrary   string   `placeholder:"FILE" help:"The embedded ClickHouse library, when it is not where make deps puts it."`
	Crawlers        string   `placeholder:"FILE" help:"A crawler list instead of the built-in one, in the format of crawler-user-agents.json." reload:"live"`
	Retention       []string `default:"clicks=25 months" placeholder:"WHAT=PERIOD" help:"How long clicks are kept: a number of months or years, or forever. Rollups, conversions and money are always kept." reload:"live"`
	LogLevel        string   `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error." reload:"live"`
	LogFormat       string   `default:"text" placeholder:"FORMAT" help:"text or json."`
	Sandbox         onOff    `help:"Rehearsal mode with a test clock. Only on a data dir that has never been used without it."`
	Demo            onOff    `help:"Seed the demo data set when the data dir is empty."`
}

// StoreSettings are the settings that say where everything is kept. Verbs that
// work on the machine's own stores take these alone.
type StoreSettings struct {
	Config   string `placeholder:"FILE" help:"YAML file of settings; its keys are the flags' names."`
	Data     string `default:"./data" placeholder:"DIR" help:"Everything the process stores."`
	Secrets  string `placeholder:"FILE" help:"The secrets that all nodes share, made by tributary key make-secrets, instead of secrets.json in the data directory."`
	Database string `default:"embedded" placeholder:"DSN" help:"Campaigns, keys and money: embedded (SQLite in the data dir) or a PostgreSQL DSN."`
}

// onOff is a switch as it was written. A flag without a value is "true".
type onOff string

// Decode implements kong.MapperValue. It never fails: what was written is
// judged together with all other settings.
func (o *onOff) Decode(ctx *kong.DecodeContext) error {
	*o = "true"
	if token := ctx.Scan.Peek(); token.Type == kong.FlagValueToken {
		*o = onOff(fmt.Sprint(ctx.Scan.Pop().Value))
	}
	return nil
}

// IsBool lets the flag stand without a value.
func (o *onOff) IsBool() bool { return true }

// A setting is one entry of the reference: what a flag, its variable and its
// key are called and mean.
type setting struct {
	Name, Variable, Default, Placeholder, Help string
	List                                       bool
	Live                                       bool // SIGHUP changes it
}

// settingList returns every setting in the order the help shows them. The
// struct tags of Settings are the one place they are written down.
func settingList() []setting {
	var list []setting
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		if field.Anonymous {
			continue
		}
		name := field.Tag.Get("name")
		if name == "" {
			name = kebab(field.Name)
		}
		list = append(list, setting{
			Name: name, Variable: variableName(name), Default: field.Tag.Get("default"),
			Placeholder: field.Tag.Get("placeholder"), Help: field.Tag.Get("help"),
			List: field.Type.Kind() == reflect.Slice, Live: field.Tag.Get("reload") == "live",
		})
	}
	return list
}

// kebab turns TrackerAddr into tracker-addr, as kong does.
func kebab(field string) string {
	var b strings.Builder
	for i, r := range field {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// variableName is the environment variable of a flag.
func variableName(flag string) string {
	return "TRIBUTARY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
