package background

import (
	"runtime"
	"syscall"
)

// niceness has a weight of a tenth of a request's in Linux's scheduler.
const niceness = 10

// GiveWay gives the calling goroutine a thread of its own, which has a lower
// priority; both end together. Processes the goroutine starts inherit the priority,
// goroutines do not.
func GiveWay() {
	runtime.LockOSThread() // never unlocked: the thread must not serve others afterwards
	// On Linux a priority is a thread's, and 0 the calling one. To lower one's own
	// is always allowed; were it not, work would go on as if it were not asked.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness)
}
