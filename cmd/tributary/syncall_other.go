//go:build !linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// syncAll makes everything below dir durable.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		open, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(open.Sync(), open.Close())
	})
}
