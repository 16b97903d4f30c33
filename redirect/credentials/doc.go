// Package credentials holds, in a tracker's memory, who may bring reports: API
// keys, HMAC secrets and postback tokens, as the catalog's feed has them.
//
// It promises that a credential is checked without asking anything outside
// memory; that nothing of a secret is written down, so that a tracker that
// starts while the catalog is down knows nobody until it is back (Ready); and
// that a revocation counts at once in the catalog's own process and within half
// a second in others.
package credentials
