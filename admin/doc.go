// Package admin is the HTTP interface of the admin listener: the API under /v1,
// its OpenAPI document and readable docs, health and metrics.
//
// It promises that
//   - every operation declares the roles that may call it, shows them in the
//     OpenAPI document (x-roles) and refuses everybody else: 401 without a valid
//     key, 403 for another role, 404 for another tenant's thing;
//   - a browser that is signed in may do what its key may: its session's cookie
//     stands for the key, and a change needs the session's CSRF token besides;
//   - every refusal, whoever raises it, is an RFC 9457 problem with a stable
//     code, and names every field that failed;
//   - a role sees of a thing what it may see and no more (the views stand
//     beside each thing);
//   - every POST honours Idempotency-Key, and what it keeps for that holds no
//     secret;
//   - bodies, headers, lists and waits are bounded, and so are the keys a network
//     may try that open nothing: 429 with Retry-After.
//
// Other packages add operations with Register, through Options.Routes.
package admin
