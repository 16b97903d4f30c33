package engine

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// newRowsFile makes a file for an insert's rows that lives in memory alone,
// and returns the path the engine, in this same process, opens it by.
func newRowsFile(string) (*os.File, string, error) {
	fd, err := unix.MemfdCreate("rows", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", fmt.Errorf("memory for an insert's rows: %w", err)
	}
	return os.NewFile(uintptr(fd), "rows"), fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

func removeRowsFile(file *os.File) { file.Close() }
