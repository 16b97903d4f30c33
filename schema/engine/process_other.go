//go:build !linux

package engine

import "syscall"

// childAttributes keeps the terminal's signals from the child. That its parent
// died it learns from the pipe of orders.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
