// Package ledger settles what merchants report into actions, and keeps the
// money: who earned what, why, and how far it is from being paid.
//
// What it promises:
//
//   - Every report ends in exactly one of accepted, duplicate, conflict and
//     rejected. An order (advertiser, event, order id) counts once, for ever; what
//     cannot be taken is in quarantine with its reason and can be replayed.
//   - A report is settled in the transaction that also moves the settler's
//     position in the log: after any crash it was settled once or will be.
//   - An action is what its entries made it: amounts are the sums of the entries'
//     deltas, the state is the last entry's. The database refuses to change or
//     delete an entry, so any past moment can be told again.
//   - What a hard budget has committed is never more than the budget, whoever
//     settles at the same time; only lowering the budget leaves it behind.
//   - One tenant never sees what belongs to another; a creator never sees cost,
//     an advertiser neither payout nor margin where an agency has a margin.
//
// Reading order: ledger.go (a writing: one transaction and its numbers),
// record.go (the rows of actions and conversions), enter.go (the one way an
// action comes to be or changes; committed cost and tallies follow from it),
// purse.go and tally.go (budget and caps), settle.go with report.go, facts.go,
// candidates.go, exchange.go, fraud.go (what the rules against fraud say) and once.go (a conversion), refund.go, acting.go (what people
// do), release.go (what waits for budget), tick.go (what time does), settler.go
// (the loop) and wait.go, fraud_rates.go (creators' rates, once an hour), reattribute.go with reattributing.go and recredit.go
// (deciding again), override.go (verdicts of
// clicks that were judged again), models.go (deciding without keeping it), then the read side: view.go, list.go, explain.go,
// quarantine.go, outbox.go, copy.go, totals.go.
//
// Beside conversions, post.go with post_cutoff.go (what posts earn by their
// metrics) and click_pay.go (pay per click) make actions.
//
// The migration 0002_ledger.sql already has the tables of what is built on top:
// payouts, task_payments, click_bookings, post_bookings, fx_rates, inquiries.
package ledger
