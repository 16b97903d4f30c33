package main

import (
	"time"

	"tributary/admin/dashboard"
	"tributary/admin/reports"
)

// pages are what people see of the admin listener in a browser.
func (a *app) pages(figures *reports.Reports) (*dashboard.Dashboard, error) {
	return dashboard.New(dashboard.Options{
		Catalog: a.things, Ledger: a.money, Reports: figures, TrackerURL: a.options.BaseURL, Now: a.reportTime, Log: a.log, Sandbox: a.options.Sandbox,
		Proxies: a.proxies, Watch: &watch{a, time.Now()}, Hooks: a.telling.hooks, Ways: a.telling.ways, Notices: a.telling.notices,
	})
}
