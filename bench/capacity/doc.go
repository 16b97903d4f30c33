// Package capacity answers what an installation bears, from what single pieces of
// work were measured to cost.
//
// It promises to be pure: the same costs, installation, load and seed give the same
// answer on every machine. Nothing in it was fitted to what it predicts; the bench
// (-only predict) compares predictions with measurements and prints both.
//
// Reading order: costs.go (what was measured), installation.go (machines, and which
// part of the product works on which), ceiling.go (at which rate each part has no
// time left), flow.go with scenario.go (second by second, with bursts and faults),
// redirects.go (request by request: what a shopper waits), sizing.go and price.go
// (how much of everything a rate of clicks needs).
//
// What the model leaves out: networks are as fast as they must be; machines of one
// part share its work evenly; ClickHouse's merges cost what they did in a
// measurement of minutes; a processor's core costs the same whatever its neighbours do.
package capacity
