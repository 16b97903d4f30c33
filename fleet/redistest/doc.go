// Package redistest starts real Redis servers for tests: one, one with a
// replica, or a Cluster, each on free ports of the loopback. A test that ends,
// however it ends, takes its servers with it.
package redistest
