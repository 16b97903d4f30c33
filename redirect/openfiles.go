//go:build unix

package redirect

import "syscall"

// connectionLimit is how many connections may be open at once: a quarter of the
// files the process may have is left to the spool, the stores and the admin
// listener, so that nobody takes them by connecting.
func connectionLimit() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return maxConnections
	}
	return int(min(uint64(files.Cur)/4*3, maxConnections))
}
