package engine

import "syscall"

// childAttributes keeps the terminal's signals from the child, and has the
// kernel kill it with the thread that started it: the supervisor's, which is
// locked to its goroutine.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
