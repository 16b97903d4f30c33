// Package target says where a shopper goes: which destination of a link, with
// the click id and what else belongs in its query.
//
// It promises to be pure and to allocate nothing for a plain link. No redirect
// leaves for a host that nobody of the advertiser wrote down: a ?u= counts only
// if its host, read as a browser reads it, is one of the advertiser's domains,
// and its macros are not replaced. What a shopper sent can neither end the
// Location header nor change its host, path or fragment: it is only ever put
// into the query, with every byte that could do harm there percent-encoded.
//
// A redirect reads the tracking URL's query once (Query.Parse), because the
// verdict needs ?_test before there is a click id, and then asks a Resolver.
//
// Reading order: query.go (what the shopper sent), resolve.go (which
// destination), match.go (a rule's conditions), language.go (what
// Accept-Language prefers), build.go (the Location), escape.go (bytes).
package target
