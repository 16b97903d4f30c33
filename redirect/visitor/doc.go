// Package visitor tells shoppers apart without knowing them: a visitor is a
// keyed hash of address, user agent and advertiser under a salt that changes
// daily (UTC) and is forgotten half an hour after its day, when no window can need
// it any more.
//
// It promises that salts are random, never derived from anything kept, that a
// salt is on disk before it is used so that a restart counts nobody twice, and
// that hashing neither allocates nor locks.
//
// A salt goes from memory and from disk within a minute of its time as long as
// somebody calls [Salts.Turn] every minute, whether or not there are clicks. What a
// process that ended had on disk goes when it starts again: a crash at any point
// leaves one whole file, and what it left beside is removed.
//
// Trackers that can talk to each other use the same salts, so that a shopper is
// the same visitor on all of them (agree.go). They agree on a day's salt in the
// hour before it; one that could not draws its own, and takes over the others' as
// soon as it can.
package visitor
