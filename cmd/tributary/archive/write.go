package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"
)

// A Writer writes an archive.
type Writer struct {
	tar    *tar.Writer
	madeAt time.Time
	digest digest
}

// digest sums an archive up: the name and size of each entry, and its bytes.
type digest struct {
	hash.Hash
	files, bytes int64
}

func newDigest() digest { return digest{Hash: sha256.New()} }

func (d *digest) begin(name string, size int64) {
	fmt.Fprintf(d.Hash, "%s\x00%d\x00", name, size)
	d.files++
	d.bytes += size
}

func (d *digest) seal() Seal {
	return Seal{Files: d.files, Bytes: d.bytes, SHA256: hex.EncodeToString(d.Sum(nil))}
}

// NewWriter begins an archive.
func NewWriter(to io.Writer, h Header) (*Writer, error) {
	h.Format = format
	w := &Writer{tar: tar.NewWriter(to), madeAt: h.MadeAt, digest: newDigest()}
	return w, w.json(headerName, h)
}

// File adds a file: exactly size bytes of content. name is relative, with slashes.
func (w *Writer) File(name string, size int64, content io.Reader) error {
	w.digest.begin(name, size)
	err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.madeAt})
	if err != nil {
		return fmt.Errorf("write %s into the backup: %w", name, err)
	}
	n, err := io.Copy(io.MultiWriter(w.tar, &w.digest), io.LimitReader(content, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("write %s into the backup: %w", name, err)
	}
	return nil
}

// Close seals the archive. Without it the archive is not whole.
func (w *Writer) Close() error {
	if err := w.json(sealName, w.digest.seal()); err != nil {
		return err
	}
	if err := w.tar.Close(); err != nil {
		return fmt.Errorf("end the backup: %w", err)
	}
	return nil
}

func (w *Writer) json(name string, value any) error {
	text, err := encode(value)
	if err != nil {
		return err
	}
	return w.File(name, int64(len(text)), bytes.NewReader(text))
}

func encode(value any) ([]byte, error) {
	text, err := json.MarshalIndent(value, "", "  ")
	return append(text, '\n'), err
}
