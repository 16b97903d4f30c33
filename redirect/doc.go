// Package redirect is the tracker: the listener shoppers meet. It turns
// GET /{slug} into a 302 and a click record, and answers nothing else about a
// link.
//
// It promises that the redirect of a link in its index needs no database, no Redis,
// no DNS and no ClickHouse, and that asking elsewhere for one it does not have takes a
// bounded time; that the click record is beyond the reach of kill -9 before the 302
// leaves; that no full address is ever written; that a plain link costs no
// allocation and no lock shared by all cores; and that whatever is sent, the
// process stays up and its memory bounded.
//
// Reading order: server.go (the listener), request.go (what is refused before it
// is looked at), click.go (a click from request to record), then the rooms:
// links (who a slug belongs to), verdict (what a hit was), target (where the
// shopper goes), geo and visitor (where from, and whether seen before).
package redirect
