// Package money is the API of what merchants report and creators earn:
// conversions, actions, quarantine, payments for tasks.
//
// It promises that every rule is the ledger's: here a request is read, its scope
// handed on and the answer written, with null for what is absent.
package money
