package schema_test

import "syscall"

// neverOrphaned has a process end with the thread that starts it.
func neverOrphaned(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
