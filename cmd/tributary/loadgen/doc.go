// Package loadgen sends clicks at a steady rate and measures the answers.
//
// It promises an open model: every request has an intended time that follows
// from the rate alone, a slow answer delays no later request, and latency is
// measured from the intended time. A server that stalls for a second shows it in
// every request that was due in that second (what a generator that waits for
// answers hides, known as coordinated omission). It promises to say when it was
// itself the bottleneck, and that every request is answered or counted under one
// error.
package loadgen
