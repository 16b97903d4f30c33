//go:build !linux

package databasetest

import "syscall"

// neverOrphaned can do nothing here: a killed test leaves its server behind.
func neverOrphaned(*syscall.SysProcAttr) {}
