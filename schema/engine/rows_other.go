//go:build !linux

package engine

import (
	"fmt"
	"os"
)

// newRowsFile makes a file in dir for an insert's rows, and returns the path
// the engine opens it by: systems other than Linux have no nameless memory files.
func newRowsFile(dir string) (*os.File, string, error) {
	file, err := os.CreateTemp(dir, "rows-*")
	if err != nil {
		return nil, "", fmt.Errorf("file for an insert's rows: %w", err)
	}
	return file, file.Name(), nil
}

func removeRowsFile(file *os.File) {
	file.Close()
	os.Remove(file.Name())
}
