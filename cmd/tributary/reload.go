package main

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"tributary/redirect/verdict"
)

// reload reads settings, crawler list and GeoIP databases again. What cannot be
// used is logged, and what was in force stays so.
func (a *app) reload(t terminal, level *slog.LevelVar) {
	var command cli
	sources, _, err := parseInto(&command, t)
	if err != nil {
		a.log.Error("settings were not reloaded", "error", err)
		return
	}
	next, err := command.Serve.Options(sources)
	if err != nil {
		a.log.Error("settings were not reloaded", "error", err)
		return
	}
	level.Set(next.LogLevel)
	a.linkDomains.set(a.options.BaseURL, next.LinkDomains)
	if fixed := needRestart(a.options, next); len(fixed) > 0 {
		a.log.Warn("these settings changed and need a restart", "settings", fixed)
	}
	if err := a.reloadClickKeys(context.Background()); err != nil {
		a.log.Error("the click keys were not reloaded; the old ones stay in use", "error", err)
	}
	rules, err := verdict.Load(next.Crawlers)
	if err != nil {
		a.log.Error("the crawler list was not reloaded", "error", err)
	} else {
		a.judging.Store(rules)
		a.log.Info("verdict rules in force", "version", rules.Version())
	}
	if a.tracker == nil {
		return
	}
	if rules != nil {
		a.tracker.SetRules(rules)
	}
	a.reloadGeo()
}

// flagsOfFields are the flags of options that are called otherwise.
var flagsOfFields = map[string]string{
	"DataDir": "data", "BaseURL": "base-url", "ClickHouse": "clickhouse", "ClickHouseCluster": "clickhouse-cluster", "Tracker": "roles", "Admin": "roles", "GeoIP": "geoip", "SMTP": "smtp",
	"ClickRetentionMonths": "retention", "LogJSON": "log-format", "AdminKey": adminKeyVariable,
}

// needRestart names the settings that differ and cannot change while running.
func needRestart(running, next Options) []string {
	next.LogLevel, next.Crawlers, next.LinkDomains = running.LogLevel, running.Crawlers, running.LinkDomains
	if next.PostCutoff.String() == running.PostCutoff.String() { // a zone knows its present offset, and so differs in summer
		next.PostCutoff = running.PostCutoff
	}
	var changed []string
	a, b := reflect.ValueOf(running), reflect.ValueOf(next)
	for i := range a.NumField() {
		if reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		name, otherwise := flagsOfFields[a.Type().Field(i).Name]
		if !otherwise {
			name = kebab(a.Type().Field(i).Name)
		}
		if !slices.Contains(changed, name) {
			changed = append(changed, name)
		}
	}
	return changed
}

// geoWatchEvery is how often the GeoIP files are looked at.
const geoWatchEvery = 30 * time.Second

// watchGeo takes up databases that were replaced.
func (a *app) watchGeo(ctx context.Context) {
	ticker := time.NewTicker(geoWatchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.reloadGeo()
		}
	}
}

func (a *app) reloadGeo() {
	switch changed, err := a.geo.Reload(); {
	case err != nil:
		a.log.Error("a GeoIP database was not reloaded; the old one stays in use", "error", err)
	case changed:
		a.log.Info("GeoIP databases reloaded", "built", a.geo.BuildTimes())
	}
}
