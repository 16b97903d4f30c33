package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// append writes whole lines and waits for the disk. After a failure the file
// is cut back, so that a later try does not follow half a line.
func (q *Quarantine) append(lines []byte) error {
	if q.file == nil || q.size > 0 && q.size+int64(len(lines)) > quarantineFileBytes {
		if err := q.rotate(); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	_, err := q.file.WriteAt(lines, q.size)
	if err == nil {
		err = q.file.Sync()
	}
	if err != nil {
		q.file.Truncate(q.size)
		return fmt.Errorf("quarantine: %w", err)
	}
	q.size += int64(len(lines))
	return nil
}

func (q *Quarantine) rotate() error {
	f, err := os.OpenFile(filepath.Join(q.dir, fmt.Sprintf("%020d.jsonl", q.nextID)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syncDir(q.dir); err != nil {
		f.Close()
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return err
	}
	if q.file != nil {
		q.file.Close()
	}
	q.file, q.size = f, size
	return nil
}

func (q *Quarantine) openLast(names []string) error {
	if len(names) == 0 {
		return nil
	}
	f, err := os.OpenFile(names[len(names)-1], os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open quarantine: %w", err)
	}
	q.file = f
	q.size, err = f.Seek(0, io.SeekEnd)
	return err
}

// files are the paths of the files, oldest first.
func (q *Quarantine) files() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(q.dir, "*.jsonl"))
	slices.Sort(names)
	return names, err
}

func fileID(path string) uint64 {
	var id uint64
	fmt.Sscanf(filepath.Base(path), "%d.jsonl", &id)
	return id
}

// scan calls visit with every line until it returns false.
func (q *Quarantine) scan(ctx context.Context, names []string, visit func(*QuarantineEntry, *quarantineReplay) bool) error {
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := scanFile(name, visit)
		if err != nil {
			return fmt.Errorf("read quarantine: %w", err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func scanFile(name string, visit func(*QuarantineEntry, *quarantineReplay) bool) (more bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		text, err := r.ReadBytes('\n')
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		var line quarantineLine
		if err := json.Unmarshal(text, &line); err != nil {
			return false, fmt.Errorf("%s is damaged: %w", name, err)
		}
		switch {
		case line.Replay != nil:
			more = visit(nil, line.Replay)
		case line.QuarantineEntry != nil:
			more = visit(line.QuarantineEntry, nil)
		}
		if !more {
			return false, nil
		}
	}
}

// cutTornLine removes the end of a line that a crash cut off. It was not
// acknowledged.
func (q *Quarantine) cutTornLine(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("open quarantine: %w", err)
	}
	whole := int64(strings.LastIndexByte(string(text), '\n') + 1)
	if whole == int64(len(text)) {
		return nil
	}
	if err := os.Truncate(name, whole); err != nil {
		return fmt.Errorf("open quarantine: %w", err)
	}
	return nil
}

// seqs are the sequence numbers of a log's span that are in quarantine,
// replayed or not.
func (q *Quarantine) seqs(ctx context.Context, log string, s span) (map[uint64]bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	names, err := q.files()
	if err != nil {
		return nil, err
	}
	found := map[uint64]bool{}
	err = q.scan(ctx, names, func(e *QuarantineEntry, _ *quarantineReplay) bool {
		if e != nil && e.Log == log && e.Seq >= s.First && e.Seq <= s.Last {
			found[e.Seq] = true
		}
		return true
	})
	return found, err
}

// A QuarantineFile is one file of a quarantine, as far as it was written.
type QuarantineFile struct {
	Path  string
	Bytes int64
}

// Files are the quarantine's files at one moment, for a copy: what is appended
// later lies behind their Bytes.
func (q *Quarantine) Files() ([]QuarantineFile, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	names, err := q.files()
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	files := make([]QuarantineFile, len(names))
	for i, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("quarantine: %w", err)
		}
		files[i] = QuarantineFile{name, info.Size()}
	}
	return files, nil
}
