// Package intake is the part of the tracker that merchants talk to: everything
// under /t/. It takes conversions and refunds from servers, networks' postbacks,
// pixels and the tag, and writes each down before it says so.
//
// What it promises:
//
//   - What was answered as accepted is on disk. What cannot be made durable is
//     answered 503 with Retry-After. Neither SQL nor ClickHouse is asked.
//   - A report that was rejected is on disk too, with its reason, when it is known
//     whose it is.
//   - An order counts once, however often it is reported: the settler sees to
//     that, so that repeating a request is always safe. A signed refund without a
//     refund_id is named after its signature, so that a replayed one is the same.
//   - A pixel is answered with a picture whatever it says.
//   - Bodies and their memory, batches, waits, and what one network may send
//     unsigned are bounded.
//
// # Signing a request
//
// Instead of a bearer key, a request may carry
//
//	Tributary-Key-Id: sec_…           the secret's id, or the advertiser's (adv_…)
//	Tributary-Timestamp: 1799571600   seconds since the Unix epoch, at most 5 minutes off
//	Tributary-Signature: v1=…         HMAC-SHA256 of timestamp, a dot and the body, in hexadecimal
//
// under the text of the secret as it was shown (trb_hmac_…). While a secret is
// being replaced several signatures may stand there, separated by commas.
//
// Reading order: intake.go (what there is under /t/), authenticate.go (who),
// body.go (how much of what they send), reports.go (conversions and refunds),
// batch.go (onto the disk), answer.go (what is said), unsigned.go, pixel.go,
// event.go, postback.go, tag.go.
package intake
