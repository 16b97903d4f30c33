package csvimport

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// The bounds of a chunk. The server names at most a thousand lines that it did
// not take, so that a chunk may have no more.
const (
	maxChunkLines  = 1_000
	maxChunkBytes  = 1 << 20
	maxRecordBytes = 128 << 10 // as the server bounds them
)

// A chunk is a run of records, as they stand in the file.
type chunk struct {
	offset  int64 // in the file
	line    int   // of the file, from 1, that it begins on
	text    []byte
	records []record
}

// A record is one line of the table; quoted cells may make it several of the file.
type record struct {
	line       int // of the file
	start, end int // in the chunk's text
}

func (c *chunk) end() int64 { return c.offset + int64(len(c.text)) }

// endLine is the line of the file that follows.
func (c *chunk) endLine() int { return c.line + bytes.Count(c.text, []byte{'\n'}) }

// of finds the record that begins on a line of the file.
func (c *chunk) of(line int) []byte {
	for _, r := range c.records {
		if r.line == line {
			return c.text[r.start:r.end]
		}
	}
	return nil
}

// A cutter cuts a file into chunks at the ends of records.
type cutter struct {
	file   *csv.Reader
	tap    *tap
	offset int64 // of the file, where the cutter began
	line   int   // of the file, where the cutter began, from 1
	cut    int64 // how far chunks reach, from offset
}

// newCutter cuts in, which stands at an offset and a line of the file, between
// two records.
func newCutter(in io.Reader, offset int64, line int) *cutter {
	c := &cutter{tap: &tap{in: in}, offset: offset, line: line}
	c.file = csv.NewReader(c.tap)
	c.file.FieldsPerRecord, c.file.ReuseRecord = -1, true
	return c
}

// next is the next chunk of at most so many records; io.EOF when there is none.
// What it returned is valid until it is called again.
func (c *cutter) next(most int) (*chunk, error) {
	c.tap.forget(c.cut)
	begin := c.cut
	one := &chunk{offset: c.offset + begin, line: c.line}
	for len(one.records) < most && c.cut-begin < maxChunkBytes {
		c.tap.bound = c.cut + maxRecordBytes
		_, err := c.file.Read()
		var malformed *csv.ParseError
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.As(err, &malformed) {
			return nil, fmt.Errorf("line %d: %w", c.line+bytes.Count(c.tap.between(begin, c.cut), []byte{'\n'}), err)
		}
		end := c.file.InputOffset()
		start := c.cut + int64(blankLines(c.tap.between(c.cut, end)))
		one.records = append(one.records, record{
			line: c.line + bytes.Count(c.tap.between(begin, start), []byte{'\n'}), start: int(start - begin), end: int(end - begin),
		})
		c.cut = end
	}
	if len(one.records) == 0 {
		return nil, io.EOF
	}
	one.text = c.tap.between(begin, c.cut)
	c.line = one.endLine()
	return one, nil
}

// blankLines is how long the empty lines are that a record follows.
func blankLines(text []byte) int {
	length := 0
	for {
		switch rest := text[length:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			length++
		case bytes.HasPrefix(rest, []byte("\r\n")):
			length += 2
		default:
			return length
		}
	}
}

// A tap keeps what is read of a file until it is forgotten.
type tap struct {
	in    io.Reader
	text  []byte
	from  int64 // of text's first byte
	bound int64 // no record may reach beyond it
}

var errLongRecord = fmt.Errorf("a record is longer than %d KiB: is a quote not closed?", maxRecordBytes>>10)

func (t *tap) Read(p []byte) (int, error) {
	if t.from+int64(len(t.text)) >= t.bound {
		return 0, errLongRecord
	}
	n, err := t.in.Read(p)
	t.text = append(t.text, p[:n]...)
	return n, err
}

func (t *tap) between(from, to int64) []byte { return t.text[from-t.from : to-t.from] }

func (t *tap) forget(before int64) {
	t.text = append(t.text[:0], t.text[before-t.from:]...)
	t.from = before
}
