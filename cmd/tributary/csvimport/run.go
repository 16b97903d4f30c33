package csvimport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"time"
)

// Options say what is imported and where.
type Options struct {
	File         string
	URL          string // of the API
	Key          string
	AdvertiserID string // empty: the key's, or what the lines name
	DryRun       bool
	Patience     time.Duration // with a server that does not answer
	Client       *http.Client  // http.DefaultClient by default
}

// A Progress is how far an import is.
type Progress struct {
	Counts
	Sent, Bytes int64  // of the file
	Line        int    // of the file, the next
	Began       int64  // Sent when this process began
	Waiting     string // why nothing moves; empty: it does
}

// A Result is what became of a file.
type Result struct {
	Counts
	ResumedAt   int    // the line an earlier process had come to; 0: none had
	RefusedFile string // where refused lines are; empty: there are none
}

// A run is one import under way.
type run struct {
	o       Options
	tell    func(Progress)
	header  []byte // the first line, ending in a newline
	at      *checkpoint
	began   int64
	waiting string
}

// Run imports a file. tell is told of the progress from time to time. An error
// that another try may not have leaves what was done where it is: the same call
// goes on from there.
func Run(ctx context.Context, o Options, tell func(Progress)) (result Result, err error) {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	r := &run{o: o, tell: tell}
	file, err := os.Open(o.File)
	if err != nil {
		return result, fmt.Errorf("open the file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if r.at, err = identify(file, o); err != nil {
		return result, err
	}
	if !o.DryRun {
		was, err := resume(o.File, r.at)
		if err != nil {
			return result, err
		}
		if was != nil {
			r.at, result.ResumedAt = was, was.Line
		}
	}
	refused, err := openRefused(RefusedFile(o.File), r.at.RefusedBytes)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, refused.close()) }()
	err = r.all(ctx, file, refused)
	result.Counts = r.at.Counts
	if refused.length > 0 {
		result.RefusedFile = refused.path
	}
	if err != nil || o.DryRun {
		return result, err
	}
	if err := os.Remove(checkpointFile(o.File)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result, fmt.Errorf("forget how far the import was: %w", err)
	}
	return result, nil
}

// identify reads the whole file for its checksum: progress is of one content.
func identify(file *os.File, o Options) (*checkpoint, error) {
	sum := sha256.New()
	length, err := io.Copy(sum, file)
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	var run [12]byte
	_, _ = rand.Read(run[:]) // never fails
	return &checkpoint{
		Run: "import-" + hex.EncodeToString(run[:]), SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: length,
		URL: o.URL, AdvertiserID: o.AdvertiserID, StartedAt: time.Now().UTC(),
	}, nil
}

// all sends what is left of the file, chunk by chunk.
func (r *run) all(ctx context.Context, file *os.File, refused *refusedFile) error {
	if err := r.begin(file); err != nil {
		return err
	}
	r.began = r.at.Offset
	cut := newCutter(file, r.at.Offset, r.at.Line)
	for {
		r.show()
		c, err := cut.next(maxChunkLines)
		if errors.Is(err, io.EOF) {
			r.at.Offset = r.at.Bytes
			r.show()
			return nil
		}
		if err != nil {
			return err
		}
		got, err := r.send(ctx, c)
		if err != nil {
			return err
		}
		if err := refused.write(r.header, c, got.Errors); err != nil {
			return err
		}
		r.at.Offset, r.at.Line, r.at.RefusedBytes = c.end(), c.endLine(), refused.length
		r.at.Counts.add(&got.Counts)
		if r.o.DryRun {
			continue
		}
		if err := r.at.keep(r.o.File); err != nil {
			return err
		}
	}
}

// begin reads the header, and puts the file where the import goes on.
func (r *run) begin(file *os.File) error {
	start := int64(0)
	mark := make([]byte, 3) // what spreadsheets put before UTF-8
	if n, err := file.ReadAt(mark, 0); err == nil && n == len(mark) && string(mark) == "\xef\xbb\xbf" {
		start = int64(len(mark))
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	head, err := newCutter(file, start, 1).next(1)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the file is empty: its first line must name the fields")
	}
	if err != nil {
		return err
	}
	r.header = slices.Concat(bytes.TrimRight(head.text[head.records[0].start:], "\r\n"), []byte{'\n'})
	if r.at.Offset == 0 {
		r.at.Offset, r.at.Line = head.end(), head.endLine()
	}
	if _, err := file.Seek(r.at.Offset, io.SeekStart); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	return nil
}

func (r *run) show() {
	r.tell(Progress{Counts: r.at.Counts, Sent: r.at.Offset, Bytes: r.at.Bytes, Line: r.at.Line, Began: r.began, Waiting: r.waiting})
}
