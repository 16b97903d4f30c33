package main

import (
	"net/http"
	"time"

	"tributary/admin/dashboard"
	"tributary/admin/reports"
)

// pages are what people see of the admin listener in a browser.
func (a *app) pages(figures *reports.Reports) (func(*http.ServeMux), error) {
	d, err := dashboard.New(dashboard.Options{
		Catalog: a.things, Ledger: a.money, Reports: figures, TrackerURL: a.options.BaseURL, Now: a.reportTime, Log: a.log, Sandbox: a.options.Sandbox,
		Watch: &watch{a, time.Now()}, Ways: a.telling.ways, Notices: a.telling.notices,
	})
	if err != nil {
		return nil, err
	}
	return d.Handle, nil
}
