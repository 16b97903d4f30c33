// Package reports answers what an advertiser, a creator and an operator ask of
// the stored clicks and actions: figures by any grouping, and the clicks themselves.
//
// It promises that the API, a file and a page show the same figure because they
// ask the same function; that click figures are by click time and action figures
// by event time, in half-open periods, with days exact in every time zone; that
// money is exact and figures of several currencies are never mixed in a row; that
// every answer says how far it reaches (data_through); and that what is out of
// the asker's scope, or not for its role, is not there.
//
// Reading order: dimension.go and query.go (what may be asked), performance.go
// (figures), money.go (those of actions, and who sees them), clicks.go (the hits
// themselves), csv.go (the same as a file).
package reports
