// Package attribution is Tributary's domain: the things of a creator campaign
// and the rules that say what a click is worth and who earned it.
//
// It promises to be pure. It imports the standard library only, reads no clock,
// draws no randomness of its own, does no I/O and keeps no state between calls:
// the same input gives the same answer, always. Times come in as milliseconds
// since the Unix epoch, entropy as bytes; what goes out is data.
//
// Reading order: id.go and money.go (the vocabulary), problem.go (how a refusal
// is said), campaign.go and terms.go (what an advertiser agreed to), route.go
// (what a tracker must know to redirect), verdict.go, clickid.go and click.go
// (what a click is and how it is written down).
package attribution
