// Package fields reads what merchants report, from every form they send it in,
// into attribution.Reports: JSON, NDJSON, forms, beacons of the tag, CSV files.
//
// What it promises:
//
//   - All forms share one table of fields and one set of rules.
//   - Nothing is guessed: an unknown field, a field given twice, an amount with
//     more decimals than its currency has, is said and not mended. Every failed
//     field is named.
//   - A report that cannot be taken is a report all the same, with Rejected and
//     Raw set, as long as it is known whose it is.
//   - Customer ids leave as keyed hashes, e-mail addresses anywhere in a text as
//     well. A card number anywhere refuses the report, and nothing that could
//     hold it leaves.
//   - Whatever is sent, it neither panics nor needs more than a few times the
//     memory of what was sent.
//
// Reading order: reader.go (what goes in and out), table.go (the fields), draft.go
// and check.go (the rules), scan.go (JSON), screen.go and card.go (what is never
// written down), then json.go, form.go, beacon.go, csv.go (the forms).
package fields
