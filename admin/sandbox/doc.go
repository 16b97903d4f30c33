// Package sandbox is the rehearsal mode: a clock that is moved by hand, so that a
// merchant sees weeks of a campaign's life in a minute, and samples of what
// shoppers and shops send.
//
// It promises that
//
//   - until the clock is first set the machine's time goes on; from then on it
//     stands still between calls, also over restarts, and only moves forward;
//   - what was received before a move is settled at the time before it;
//   - a move answers when everything due up to the new time has happened, each
//     at the time it was due.
//
// What protects the server keeps the machine's time: rates, signature windows,
// retries and timeouts.
package sandbox
