// Package reports answers what an advertiser, a creator and an operator ask of
// the stored clicks and actions: figures by any grouping, and the clicks themselves.
//
// It promises that the API, a file and a page show the same figure because they
// ask the same function; that click figures are by click time and action figures
// by event time, in half-open periods, with days exact in every time zone; that
// money is exact and figures of several currencies are never mixed in a row; that
// every answer says how far it reaches (data_through); that what was answered as of
// a time is answered again, to the minor unit; and that what is out of the asker's
// scope, or not for its role, is not there.
//
// Reading order: definition.go (every figure and what it means), dimension.go and
// query.go (what may be asked), statement.go (the query), performance.go (rows and
// totals), value.go (figures as they are written, and who sees them), compare.go with
// days.go (the period before), row.go and file.go (the answer), columns.go (the
// reference), clicks.go (the hits themselves).
//
// Beside them, from what is copied of the ledger: actions.go with action_filters.go
// and action_files.go (every action, by any field), funnel.go, models.go, codes.go
// and paths.go, narrowed by narrow.go and answered by detail_api.go with
// detail_tables.go.
//
// What arrives, as it arrives: live.go (who watches), live_follow.go (the one loop
// that asks for all of them), live_filter.go, live_entries.go, live_position.go and
// live_api.go. upcoming.go says when what creators earned becomes payable.
package reports
