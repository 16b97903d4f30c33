package csvimport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// RefusedFile is where the lines of a file that were not taken are written:
// orders.csv → orders.refused.csv.
func RefusedFile(file string) string {
	extension := filepath.Ext(file)
	return strings.TrimSuffix(file, extension) + ".refused" + extension
}

// The columns that stand before a refused line's own. An import ignores them.
var refusedColumns = []string{"_line", "_code", "_reason"}

// A refusedFile takes the lines that were not taken. It is made with the first.
type refusedFile struct {
	path   string
	file   *os.File
	length int64
}

// openRefused goes on behind what was written when progress was kept last.
func openRefused(path string, length int64) (*refusedFile, error) {
	r := &refusedFile{path: path, length: length}
	if length == 0 {
		return r, nil
	}
	if err := r.open(os.O_WRONLY); err != nil {
		return nil, err
	}
	if err := r.file.Truncate(length); err != nil {
		return nil, errors.Join(fmt.Errorf("go on with refused lines: %w", err), r.close())
	}
	_, err := r.file.Seek(length, 0)
	return r, err
}

func (r *refusedFile) open(flags int) (err error) {
	if r.file, err = os.OpenFile(r.path, flags, 0o600); err != nil {
		return fmt.Errorf("write refused lines: %w", err)
	}
	return nil
}

// write adds a chunk's refused lines, on disk when it returns.
func (r *refusedFile) write(header []byte, c *chunk, refusals []refusal) error {
	if len(refusals) == 0 {
		return nil
	}
	var text bytes.Buffer
	if r.file == nil {
		if err := r.open(os.O_WRONLY | os.O_CREATE | os.O_TRUNC); err != nil {
			return err
		}
		text.WriteString(strings.Join(slices.Concat(refusedColumns, ownColumns(header)), ",") + "\n")
	}
	for _, refused := range refusals {
		line := c.of(refused.Line)
		cells := csv.NewWriter(&text)
		parts := []string{strconv.Itoa(refused.Line), refused.Code, refused.Reason}
		if own, err := csv.NewReader(bytes.NewReader(line)).Read(); err == nil {
			parts = append(parts, withoutRefused(header, own)...)
		} else {
			parts = append(parts, strings.TrimRight(string(line), "\r\n")) // no CSV: as it stands
		}
		if err := cells.Write(parts); err != nil {
			return fmt.Errorf("write refused lines: %w", err)
		}
		cells.Flush()
	}
	n, err := r.file.Write(text.Bytes())
	r.length += int64(n)
	if err = errors.Join(err, r.file.Sync()); err != nil {
		return fmt.Errorf("write refused lines: %w", err)
	}
	return nil
}

func (r *refusedFile) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// columnsOf are the names of a header.
func columnsOf(header []byte) []string {
	names, err := csv.NewReader(bytes.NewReader(header)).Read()
	if err != nil {
		return nil // the server says what is wrong with it
	}
	return names
}

// ownColumns are a header's names without those of an earlier refusal.
func ownColumns(header []byte) []string { return withoutRefused(header, columnsOf(header)) }

func withoutRefused(header []byte, cells []string) []string {
	var own []string
	names := columnsOf(header)
	for i, cell := range cells {
		if i >= len(names) || !slices.Contains(refusedColumns, names[i]) {
			own = append(own, cell)
		}
	}
	return own
}
