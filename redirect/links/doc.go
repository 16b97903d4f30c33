// Package links is a tracker's index of links: from a slug to everything a
// redirect needs, in memory.
//
// It promises:
//
//   - A look-up asks nothing outside memory, hit or miss, takes no lock, writes
//     no shared cache line and allocates nothing. Any number of goroutines may
//     look up while one writer applies changes; a link is seen as it was before
//     a change or after it, never in between, and never missing because it
//     changed.
//   - Ten million links fit well below 3 GB resident. Links are packed records
//     in memory the garbage collector does not see (arena.go, record.go), found
//     through an open-addressing table of 8-byte slots (table.go). Campaigns,
//     advertisers and targetings are ordinary small objects that records refer
//     to by slot, so that pausing a campaign touches no link.
//   - Slugs a client makes up cannot be made to collide: the hash is seeded per
//     process.
//   - The index survives its source. A Follower starts from the snapshot of an
//     earlier life, follows the catalog's feed of changes, reloads when it
//     missed some, and serves what it has while the source is down.
//   - Where there are several nodes it follows them by two sources, either of which
//     may be away, and Misses ask, in bounded time and number, for a slug it does
//     not have. With MaxLinks it holds the links in use and no others; the rest is
//     found by Misses, and the feed keeps what is held as it should be.
//   - A snapshot that is damaged, of another version or of another catalog is
//     never believed: the index is rebuilt from the source.
//
// Which link a slug names. A random slug is compared byte for byte, a vanity
// slug ignoring ASCII case, and each kind only with its own. Where a request
// matches one of both, the random slug goes first. So neither shadows the other:
// of two that differ in case only, the exact spelling is the random link's, every
// other spelling the vanity link's.
//
// A link is known only together with its campaign and advertiser: one that
// arrives before them is kept and answers from the moment they are there.
//
// Limits counts the clicks of links that have a maximum, in a memory-mapped
// file that survives a killed process.
//
// Reading order: index.go (what a look-up and a change are), view.go (what
// readers get) and store.go with storelinks.go (what the writer does), then how
// a link lies in memory: record.go, arena.go, region.go, table.go, targets.go
// and targeting.go. How the index keeps up: follower.go, sources.go, reload.go,
// misses.go and clock.go. How it outlives a process: snapshot.go with
// snapshotblocks.go and snapshotload.go, snapshotter.go. Beside it: limits.go
// and limits_shared.go.
package links
