//go:build !linux

package schema_test

import "syscall"

// neverOrphaned can do nothing here: a killed test leaves its servers behind.
func neverOrphaned(*syscall.SysProcAttr) {}
