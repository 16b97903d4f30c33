//go:build unix

package redirect

import "syscall"

// maxKeptFiles is what the spool, the stores and the admin listener need at most.
const maxKeptFiles = 1024

// connectionLimit is how many connections may be open at once: a quarter of the
// files the process may have, or maxKeptFiles where that is less, is left to the
// others, so that nobody takes them by connecting.
func connectionLimit() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return maxConnections
	}
	most := uint64(files.Cur)
	return int(min(most-min(most/4, maxKeptFiles), maxConnections))
}
