// Package events makes the public events of the product out of the messages that
// the ledger and the catalog put into the outbox, and hands them to those who
// tell others: webhooks, notifications, the health of integrations.
//
// It promises that
//   - every event is handed on once: what its sinks make of it is written in the
//     transaction that passes its message, so that a crash or a second process
//     neither loses nor repeats one;
//   - an event has the same id whenever it is made, and ids sort by time;
//   - data are in the words of the API and as the role sees them: an advertiser
//     finds no agency's margin in an event, a creator no cost;
//   - a message that cannot be read is logged and passed: it stops nobody.
//
// [Types] lists every event there is; docs/webhooks.md says what each means.
package events
