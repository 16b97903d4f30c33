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
// purse.go and tally.go (budget and caps). A conversion: settle.go with
// report.go, facts.go, candidates.go, exchange.go, fraud.go (what the rules
// against fraud say) and once.go. What changes it: refund.go with refund_part.go,
// acting.go (what people do), correct.go (what becomes of locked actions),
// release.go (what waits for budget), tick.go (what time does). The
// loop: settler.go and wait.go; fraud_rates.go (creators' rates, once an hour).
// Deciding again: reattribute.go with reattributing.go and recredit.go,
// override.go (verdicts of clicks that were judged again), models.go (without
// keeping it). The read side: view.go, list.go, explain.go, quarantine.go,
// outbox.go, copy.go, totals.go.
//
// Beside conversions, post.go with post_cutoff.go (what posts earn by their
// metrics), click_pay.go (pay per click), task_pay.go (fees) and inquiry.go (a
// sale that somebody missed) make actions; payout.go puts what is payable into
// payouts.
package ledger
