// Package redirect is the tracker: the listener shoppers meet. It turns
// GET /{slug} into a 302 and a click record, and answers nothing else about a
// link.
//
// It promises that the redirect of a link in its index needs no database, no
// Redis, no DNS and no ClickHouse, and that asking elsewhere for one it does
// not have takes a bounded time; that the click record is beyond the reach of
// kill -9 before the 302 leaves; that no full address is ever written; that a
// plain link costs no allocation and no lock shared by all cores; and that
// whatever is sent, the process stays up and its memory bounded.
//
// Reading order: server.go (the listener), conn.go (a connection, and when it
// has waited too long), request.go (what is refused before it is looked at),
// body.go (bodies nobody asked for), click.go (a click from request to record),
// pages.go (all a tracker ever shows), stop.go and metrics.go. socket_linux.go, openfiles.go, referer.go and
// emails.go are details of these. Then the rooms: links (whose a slug is),
// verdict (what a hit was), target (where the shopper goes), geo and visitor
// (where from, and whether seen before), intake and credentials (what shops
// report, and who may).
package redirect
