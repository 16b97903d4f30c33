// Package attribution is Tributary's domain: the things of a creator campaign
// and the rules that say what a click is worth and who earned it.
//
// It promises to be pure. It imports the standard library only, reads no clock,
// draws no randomness of its own, does no I/O and keeps no state between calls:
// the same input gives the same answer, always. Times come in as milliseconds
// since the Unix epoch, entropy as bytes; what goes out is data.
//
// Reading order: id.go, instant.go and money.go (the vocabulary), problem.go
// (how a refusal is said), campaign.go, terms.go and schedule.go (what an
// advertiser agreed to, and when it is paid), route.go and identity.go (what a
// tracker must know to redirect), destination.go, verdict.go, clickid.go and
// click.go (what a click is and how it is written down).
//
// Then a sale: report.go and conversion.go (what a merchant said), decide.go
// (who earned it, the heart of the package) with touch.go (which clicks count),
// model.go and split.go (how credit is shared), payout.go and exact.go (what it
// is worth, without rounding twice), booking.go (how it is held or booked) and
// trace.go (why), reprice.go (the same again for an order that changed),
// fraud.go and fraud_rules.go.
package attribution
