// Package erasures erases persons: a customer of an advertiser, known by the
// customer id or e-mail address the shop reported, or a visitor, known by one of
// its clicks.
//
// What it promises:
//
//   - Nothing that stands for the person is left in any store: not in the ledger,
//     the quarantines, what is on its way to ClickHouse, to webhooks or to readers,
//     kept answers, nor in ClickHouse's clicks and conversions.
//   - No figure changes: balances, reports and audits are the same before and
//     after. An order stays counted and cannot be counted again. In the place of a
//     customer's hash comes a name drawn for this erasure, which nothing leads back
//     from; of a click stays what figures are made of.
//   - What was received before the erasure and comes later, from a spool, a
//     quarantine or a backup, is settled without the person.
//   - An erasure that was begun is finished, whatever ends the process in between;
//     doing any part of it again changes nothing.
//   - What is looked for is kept only until nothing of it is left. The audit log
//     says that somebody was erased, not who.
//
// service.go is the order of the steps, ledger.go and texts.go what is in SQL,
// clicks.go what is in ClickHouse, quarantines.go what is in click records that were
// put aside, on every node.
package erasures
