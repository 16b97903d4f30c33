// Package caller says who asks: the address of a client behind trusted proxies,
// the network that is kept of it, and whether that network may still try keys.
//
// It promises that an entry of X-Forwarded-For counts only when a trusted proxy
// wrote it, however many a client wrote before, and X-Forwarded-Proto only from
// one; that nothing finer than a /24 or /48 leaves it as a network; that finding an
// address does not allocate; and that guessing keys is slowed down in bounded
// memory, without locking out who shares the guesser's network and has used a key
// before.
//
// Reading order: proxies.go, network.go, tries.go.
package caller
