// Package credentials holds, in a tracker's memory, who may bring reports: API
// keys, HMAC secrets and postback tokens, as the catalog's feed has them.
//
// It promises that a credential is checked without asking anything outside
// memory; that secrets are written down under a seal and nowhere else, so that a
// tracker that starts while the catalog is down takes the reports of those it knew
// when it last heard of the catalog, at most 7 days ago, and tells strangers to come
// again (Sure) rather than that they are wrong; and that a revocation counts at
// once in the catalog's own process and within half a second in others.
package credentials
