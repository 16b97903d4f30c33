//go:build !linux

package background

import "runtime"

// GiveWay gives the calling goroutine a thread of its own; this system has no
// priorities of threads that Go can reach.
func GiveWay() { runtime.LockOSThread() }
