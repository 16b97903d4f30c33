// Package catalog keeps the things of Tributary in SQL: advertisers, creators,
// campaigns, participations, tasks, links and keys, and publishes what trackers
// must know of them as a feed of numbered changes.
//
// It promises that every write checks all fields and names each one that fails
// (attribution.Problem), that a change and its number are one transaction, that
// numbers are given in commit order, and that one tenant never sees or touches
// what belongs to another: a thing out of scope is not found.
package catalog
