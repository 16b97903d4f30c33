package main

import "tributary/admin/reports"

type docsReportsCommand struct{}

// Run prints docs/reports.md.
func (docsReportsCommand) Run(t terminal) error { return reports.WriteReference(t.Out) }
