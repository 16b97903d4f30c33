// Package visitor tells shoppers apart without knowing them: a visitor is a
// keyed hash of address, user agent and advertiser under a salt that changes
// daily (UTC) and is forgotten after the next day's first window.
//
// It promises that salts are random, never derived from anything kept, that a
// salt is on disk before it is used so that a restart counts nobody twice, and
// that hashing neither allocates nor locks.
//
// Trackers that can talk to each other use the same salts, so that a shopper is
// the same visitor on all of them (agree.go). They agree on a day's salt in the
// hour before it; one that could not draws its own, and takes over the others' as
// soon as it can.
package visitor
