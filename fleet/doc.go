// Package fleet is what several nodes of one installation share through Redis.
//
// It promises:
//
//   - Nothing durable lives only in Redis. Whatever is lost there, a flushed
//     server, a replica that was behind when it took over, an empty disk, is
//     noticed and written again from the database or from the nodes themselves.
//   - Redis never ends the process and never holds it up: opening a Client asks
//     nothing, a server that does not answer is given up within its timeouts, and
//     calls fail at once (ErrAway) while it is away.
//   - No leader is needed. Whoever may write a thing may write it at any time,
//     twice, late, or at the same time as others: each write says which version
//     it is of, and an older one never replaces a newer one.
//   - It works the same on a single server and on a Redis Cluster. Keys that must
//     change together share a hash tag, all others spread over the slots.
//   - Credentials and other secrets are never written to Redis, but for visitor
//     salts, which are sealed.
//
// Redis 6.2 or newer is needed, or a server that speaks as it does.
//
// The Client knows the servers. The links of an installation travel by three
// things: a Publisher follows the database's feed and writes what changed into
// the read-model (model.go, fill.go) and then into the stream (stream.go); a Feed gives
// trackers both, and answers for a single slug.
//
// What trackers decide together is in three more, off the click path: Visits knows
// which visits are unique (visits.go, visits.lua), a Tally adds up what each of them
// counts (tally.go), Salts are those they hash visitors under (salts.go).
package fleet
