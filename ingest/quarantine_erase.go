package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Rewrite gives every entry to change, which may change its record and then
// returns true, and returns how many it changed. Each file is replaced in one
// step: a crash leaves it as it was or as it is to be, and the change may be made
// again.
func (q *Quarantine) Rewrite(ctx context.Context, change func(*QuarantineEntry) bool) (changed int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	names, err := q.files()
	if err != nil {
		return 0, fmt.Errorf("quarantine: %w", err)
	}
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return changed, err
		}
		found, err := rewriteFile(name, change)
		if err != nil {
			return changed, fmt.Errorf("quarantine: rewrite %s: %w", filepath.Base(name), err)
		}
		if changed += found; found > 0 && i == len(names)-1 && q.file != nil {
			q.file.Close() // it has no name any more
			q.file = nil
			if err := q.openLast(names); err != nil {
				return changed, err
			}
		}
	}
	return changed, nil
}

// rewriteFile replaces a file by one with the changed entries, if there are any.
func rewriteFile(name string, change func(*QuarantineEntry) bool) (changed int, err error) {
	from, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := os.CreateTemp(filepath.Dir(name), ".rewritten-*") // made with mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(to.Name())
	defer to.Close()
	lines, out := bufio.NewReaderSize(from, 64<<10), bufio.NewWriter(to)
	for {
		text, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		var line quarantineLine
		if err := json.Unmarshal(text, &line); err != nil {
			return 0, err
		}
		if line.QuarantineEntry != nil && line.Replay == nil && change(line.QuarantineEntry) {
			changed++
			if text, err = json.Marshal(line); err != nil {
				return 0, err
			}
			text = append(text, '\n')
		}
		if _, err := out.Write(text); err != nil {
			return 0, err
		}
	}
	if changed == 0 {
		return 0, nil
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	if err := to.Sync(); err != nil {
		return 0, err
	}
	if err := os.Rename(to.Name(), name); err != nil {
		return 0, err
	}
	return changed, syncDir(filepath.Dir(name))
}
