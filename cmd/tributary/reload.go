package main

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"tributary/redirect/geo"
	"tributary/redirect/verdict"
)

// A reloading is everything a SIGHUP brings, read and checked, before any of it is
// in force.
type reloading struct {
	options Options
	rules   *verdict.Rules
	places  geo.Set    // of a tracker
	rates   *rateLimit // of a tracker whose limit changes
}

// reload reads settings, crawler list and GeoIP databases again. Where anything of
// them cannot be used nothing changes, and all that is wrong is logged.
func (a *app) reload(t terminal, level *slog.LevelVar) {
	next, err := a.readAgain(t)
	if err != nil {
		for _, problem := range problemsOf(err) {
			a.log.Error("settings were not reloaded: nothing changed", "problem", problem)
		}
		return
	}
	inForce, live, fixed := changeLive(*a.inForce.Load(), next.options)
	a.inForce.Store(&inForce)
	level.Set(inForce.LogLevel)
	a.linkDomains.set(a.options.BaseURL, inForce.LinkDomains)
	a.proxies.Trust(inForce.TrustedProxies)
	a.judging.Store(next.rules)
	if a.tracker != nil {
		a.reloadTracker(next)
	}
	if a.telling != nil && slices.Contains(live, "webhook-networks") {
		a.telling.hooks.SetNetworks(inForce.WebhookNetworks)
	}
	if slices.Contains(live, "retention") {
		a.retentionChanged()
	}
	a.log.Info("settings reloaded", "changed", live, "rules", next.rules.Version())
	if len(fixed) > 0 {
		a.log.Warn("these settings changed and need a restart", "settings", fixed)
	}
	if err := a.reloadClickKeys(context.Background()); err != nil {
		a.log.Error("the click keys were not reloaded; the old ones stay in use", "error", err)
	}
}

func (a *app) reloadTracker(next reloading) {
	a.tracker.SetRules(next.rules)
	if a.geo.Use(next.places) {
		a.log.Info("GeoIP databases reloaded", "built", a.geo.BuildTimes())
	}
	if next.rates != nil {
		a.rates.Store(next.rates)
		a.tracker.SetRates(next.rates.window)
	}
}

// readAgain reads all that can be reloaded; the error names everything that is wrong.
func (a *app) readAgain(t terminal) (next reloading, err error) {
	var command cli
	sources, _, err := parseInto(&command, t)
	if err != nil {
		return next, err
	}
	if next.options, err = command.Serve.Options(sources); err != nil {
		return next, err
	}
	var failed [3]error
	next.rules, failed[0] = verdict.Load(next.options.Crawlers)
	if a.tracker != nil {
		next.places, failed[1] = a.geo.Read(next.options.GeoIP)
		if next.options.RateLimit != a.inForce.Load().RateLimit {
			next.rates, failed[2] = a.newRateLimit(next.options.RateLimit)
		}
	}
	return next, errors.Join(failed[:]...)
}

// problemsOf are what is wrong, one by one.
func problemsOf(err error) []string {
	var bad BadSettings
	if errors.As(err, &bad) {
		return bad
	}
	return strings.Split(err.Error(), "\n")
}

// flagsOfFields are the flags of options that are called otherwise.
var flagsOfFields = map[string]string{
	"DataDir": "data", "BaseURL": "base-url", "ClickHouse": "clickhouse", "ClickHouseCluster": "clickhouse-cluster", "Tracker": "roles", "Admin": "roles", "GeoIP": "geoip", "SMTP": "smtp",
	"ClickRetentionMonths": "retention", "LogJSON": "log-format", "AdminKey": adminKeyVariable,
}

// changeLive returns the running options with the live settings of next, and names
// the settings that differ: those that are live, and those that cannot change while
// running.
func changeLive(running, next Options) (inForce Options, live, fixed []string) {
	if next.PostCutoff.String() == running.PostCutoff.String() { // a zone knows its present offset, and so differs in summer
		next.PostCutoff = running.PostCutoff
	}
	isLive := map[string]bool{}
	for _, s := range settingList() {
		isLive[s.Name] = s.Live
	}
	from, to := reflect.ValueOf(next), reflect.ValueOf(&running).Elem()
	for i := range from.NumField() {
		if reflect.DeepEqual(from.Field(i).Interface(), to.Field(i).Interface()) {
			continue
		}
		name, otherwise := flagsOfFields[from.Type().Field(i).Name]
		if !otherwise {
			name = kebab(from.Type().Field(i).Name)
		}
		if isLive[name] {
			to.Field(i).Set(from.Field(i))
			live = append(live, name)
		} else if !slices.Contains(fixed, name) {
			fixed = append(fixed, name)
		}
	}
	return running, live, fixed
}

// geoWatchEvery is how often the GeoIP files are looked at.
const geoWatchEvery = 30 * time.Second

// watchGeo takes up databases that were replaced.
func (a *app) watchGeo(ctx context.Context) {
	a.every(ctx, geoWatchEvery, "a GeoIP database was not reloaded; the old one stays in use", func(context.Context) error {
		changed, err := a.geo.Reload()
		if changed {
			a.log.Info("GeoIP databases reloaded", "built", a.geo.BuildTimes())
		}
		return err
	})
}
