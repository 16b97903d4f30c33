// Package traffic holds what creators' links see: kinds of visitors with their
// share of the hits. It promises that the same seed draws the same visitors.
package traffic
