package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tributary/redirect/verdict"
)

// optionsOf parses a command line of serve as main does.
func optionsOf(t *testing.T, args ...string) (Options, error) {
	t.Helper()
	var out bytes.Buffer
	var command cli
	sources, parsed, err := parseInto(&command, terminal{Args: append([]string{"serve"}, args...), Out: &out, Err: &out})
	if err != nil || parsed == nil {
		t.Fatalf("command line: %v\n%s", err, &out)
	}
	return command.Serve.Options(sources)
}

// TestBadConfigurations loads every rejected file. What its comment lines that
// begin with "# want: " say must be exactly what the operator reads.
func TestBadConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/bad.*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rejected configurations: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want BadSettings
			for line := range strings.Lines(string(content)) {
				if text, found := strings.CutPrefix(line, "# want: "); found {
					want = append(want, strings.TrimSpace(text))
				}
			}
			_, err = optionsOf(t, "--config", file)
			if err == nil || err.Error() != want.Error() {
				t.Errorf("got:  %v\nwant: %v", err, want.Error())
			}
		})
	}
}

func TestFlagBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tributary.yml")
	content := "tracker-addr: :1001\nadmin-addr: :1002\nbase-url: https://file.example\ntrusted-proxies: [10.0.0.0/8, 192.0.2.7]\nclick-fsync: 0\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRIBUTARY_CONFIG", file)
	t.Setenv("TRIBUTARY_TRACKER_ADDR", ":2001")
	t.Setenv("TRIBUTARY_ADMIN_ADDR", ":2002")
	t.Setenv("TRIBUTARY_BASE_URL", "")
	t.Setenv("TRIBUTARY_DEMO", "true")
	o, err := optionsOf(t, "--tracker-addr", ":3001")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"flag wins", o.TrackerAddr, ":3001"},
		{"variable wins over file", o.AdminAddr, ":2002"},
		{"empty variable is none", o.BaseURL, "https://file.example"},
		{"default", o.DataDir, "./data"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	if !o.Demo || o.Sandbox || o.ClickFsync != 0 || o.ClickRetentionMonths != 25 || o.RateLimit != (verdict.Rate{Hits: 600, WindowMs: 60_000}) {
		t.Errorf("got %+v", o)
	}
	if len(o.TrustedProxies) != 2 || o.TrustedProxies[1].String() != "192.0.2.7/32" {
		t.Errorf("trusted proxies: %v", o.TrustedProxies)
	}
}

func TestEveryBadSettingIsReportedAtOnceWithWhereItCameFrom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tributary.yml")
	if err := os.WriteFile(file, []byte("rate-limt: 5\nlog-level: loud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRIBUTARY_CLICK_FSYNC", "20")
	t.Setenv("TRIBUTARY_ADMIN_KEY", "short")
	_, err := optionsOf(t, "--config", file, "--roles", "tracker,king", "--demo=perhaps")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"6 settings cannot be used:",
		"tributary.yml:1 rate-limt: is no setting; did you mean rate-limit?",
		`tributary.yml:2 log-level "loud": must be`,
		`TRIBUTARY_CLICK_FSYNC "20": must be a duration with its unit`,
		`--roles "king": must be tracker, admin or both`,
		`--demo "perhaps": must be true or false`,
		"TRIBUTARY_ADMIN_KEY: must be trb_ and 32 or more",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	const secret = "hunter2"
	o, err := optionsOf(t, "--clickhouse", "clickhouse://ann:hunter2@db:9000/tributary?password=hunter2", "--database", "postgres://ann:hunter2@db/x", "--smtp", "smtps://ann:hunter2@mail:465?from=ann@mail.example", "--redis", "redis://:hunter2@cache:6379")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	newLogger(&log, o, new(slog.LevelVar)).Info("started", "options", o, "clickhouse", o.ClickHouse, "redis", o.Redis)
	if strings.Contains(log.String(), secret) {
		t.Errorf("a log line holds the password: %s", &log)
	}
	for _, flag := range []string{"--clickhouse", "--database", "--smtp", "--redis", "--base-url"} {
		for _, value := range []string{"ftp://ann:hunter2@db", "ann:hunter2@db", "postgres://ann:hunter2@", "http://ann:hunter2@%zz"} {
			if _, err := optionsOf(t, flag, value); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s %s: %v", flag, value, err)
			}
		}
	}
}

func TestConfigurationReferenceIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := writeConfigurationDoc(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/configuration.md")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/configuration.md is stale, run 'make docs' (%v)", err)
	}
}

// TestAReloadChangesLiveSettingsAndNamesTheOthers changes every field of the options:
// it is taken over where its setting is live, and what the operator reads of it is a
// flag, or the variable of the admin key.
func TestAReloadChangesLiveSettingsAndNamesTheOthers(t *testing.T) {
	known := map[string]bool{adminKeyVariable: false}
	for _, s := range settingList() {
		known[s.Name] = s.Live
	}
	running, err := optionsOf(t)
	if err != nil {
		t.Fatal(err)
	}
	if inForce, live, fixed := changeLive(running, running); len(live)+len(fixed) > 0 || !reflect.DeepEqual(inForce, running) {
		t.Errorf("nothing changed, and %v and %v did", live, fixed)
	}
	lived := map[string]bool{}
	for field := range reflect.TypeFor[Options]().Fields() {
		next := running
		value := reflect.ValueOf(&next).Elem().FieldByIndex(field.Index)
		switch value.Kind() {
		case reflect.String:
			value.SetString(value.String() + "x")
		case reflect.Bool:
			value.SetBool(!value.Bool())
		case reflect.Slice:
			value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		case reflect.Struct:
			value.SetZero()
		default:
			value.SetInt(value.Int() + 1)
		}
		inForce, live, fixed := changeLive(running, next)
		name := slices.Concat(live, fixed)
		if len(name) != 1 {
			t.Errorf("%s is called %v", field.Name, name)
			continue
		}
		isLive, isKnown := known[name[0]]
		want := running
		if isLive {
			want, lived[name[0]] = next, true
		}
		if !isKnown || isLive != (len(live) == 1) || !reflect.DeepEqual(inForce, want) {
			t.Errorf("%s is called %v: known %t, live %t, in force %v", field.Name, name, isKnown, isLive, reflect.ValueOf(inForce).FieldByIndex(field.Index))
		}
	}
	for name, live := range known {
		if live && !lived[name] {
			t.Errorf("%s is live, and no option is", name)
		}
	}
}
