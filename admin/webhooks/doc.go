// Package webhooks tells other programs what happens: HTTP requests to addresses
// that advertisers and the operator name, signed by the Standard Webhooks rules.
//
// It promises that
//   - a delivery is kept in the transaction that passes its event, and is tried
//     until it is answered with 2xx or 3 days are over: at least once, under the
//     same webhook-id, after any crash; two processes never send the same one at
//     the same time, unless one takes longer than its lease;
//   - a webhook that fails is tried at growing intervals and, after 20 failures in
//     a row, no more; its owner is told at 10 and at 20. What it was to be sent
//     waits for 3 days, should it be enabled again;
//   - one webhook never delays another: each has at most a few requests under way
//     and one while it fails, and requests, their time, answers and memory are
//     bounded;
//   - no request goes to an address that is not public, whatever a name resolves
//     to by then, and no redirect is followed; only --webhook-networks lets some
//     in;
//   - secrets are stored sealed and shown once, two may be live.
//
// Reading order: webhook.go (what a client writes), secret.go, sign.go, target.go
// (where requests may go), schedule.go, queue.go (deliveries in SQL), send.go (one
// request), sender.go (the loop), deliveries.go (log, replay, test), api.go,
// show.go (for the dashboard).
package webhooks
