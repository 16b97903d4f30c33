package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
)

// Visitor is told what an archive holds, in its order. Either may be nil.
type Visitor struct {
	Header func(Header) error
	File   func(name string, size int64, content io.Reader) error
}

// Read reads an archive to its end and compares it with its seal. An error of the
// visitor, or of from, is returned as it is.
func Read(from io.Reader, v Visitor) (Seal, error) {
	source := &sourceReader{Reader: from}
	r := &reader{tar: tar.NewReader(source), digest: newDigest()}
	seal, err := r.read(v)
	if source.err != nil { // not the archive's fault
		return Seal{}, fmt.Errorf("read the backup: %w", source.err)
	}
	return seal, err
}

// A sourceReader remembers that reading failed, which is not damage.
type sourceReader struct {
	io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
	return n, err
}

type reader struct {
	tar    *tar.Reader
	digest digest
}

func (r *reader) read(v Visitor) (Seal, error) {
	entry, err := r.next()
	if err != nil {
		return Seal{}, err
	}
	if entry.Name != headerName {
		return Seal{}, damaged("it begins with %s: is it a backup of Tributary?", entry.Name)
	}
	text, err := r.text(entry)
	if err != nil {
		return Seal{}, err
	}
	var header Header
	if err := json.Unmarshal(text, &header); err != nil {
		return Seal{}, damaged("%s cannot be read (%v)", headerName, err)
	}
	if header.Format != format {
		return Seal{}, fmt.Errorf("the backup was made by Tributary %s, in a format this program does not know: use that version", header.Program)
	}
	if v.Header != nil {
		if err := v.Header(header); err != nil {
			return Seal{}, err
		}
	}
	for {
		if entry, err = r.next(); err != nil {
			return Seal{}, err
		}
		if entry.Name == sealName {
			return r.sealed(entry)
		}
		if err := r.file(entry, v); err != nil {
			return Seal{}, err
		}
	}
}

// next is the next entry, which must be a plain file within the archive.
func (r *reader) next() (*tar.Header, error) {
	entry, err := r.tar.Next()
	if err != nil {
		return nil, damaged("it ends after %d files (%v)", r.digest.files, err)
	}
	if entry.Typeflag != tar.TypeReg || !filepath.IsLocal(entry.Name) || path.Clean(entry.Name) != entry.Name {
		return nil, damaged("%q is no file of a backup", entry.Name)
	}
	return entry, nil
}

// text is a small entry's content.
func (r *reader) text(entry *tar.Header) ([]byte, error) {
	if entry.Size > maxHeaderBytes {
		return nil, damaged("%s has %d bytes", entry.Name, entry.Size)
	}
	r.digest.begin(entry.Name, entry.Size)
	text, err := io.ReadAll(io.TeeReader(r.tar, &r.digest))
	if err != nil {
		return nil, damaged("it ends within %s (%v)", entry.Name, err)
	}
	return text, nil
}

func (r *reader) file(entry *tar.Header, v Visitor) error {
	r.digest.begin(entry.Name, entry.Size)
	content := &entryReader{from: io.TeeReader(r.tar, &r.digest), name: entry.Name}
	if v.File != nil {
		if err := v.File(entry.Name, entry.Size, content); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, content)
	return err
}

// An entryReader calls an archive that ends within a file damaged.
type entryReader struct {
	from io.Reader
	name string
}

func (e *entryReader) Read(p []byte) (int, error) {
	n, err := e.from.Read(p)
	if err != nil && err != io.EOF {
		err = damaged("it ends within %s (%v)", e.name, err)
	}
	return n, err
}

// sealed compares what was read with the seal, behind which there is nothing.
func (r *reader) sealed(entry *tar.Header) (Seal, error) {
	found := r.digest.seal()
	expected, err := encode(found)
	if err != nil {
		return Seal{}, err
	}
	text, err := r.text(entry)
	if err != nil {
		return Seal{}, err
	}
	if !bytes.Equal(text, expected) {
		return Seal{}, damaged("its checksum is not the one it was sealed with")
	}
	if entry, err := r.tar.Next(); err == nil {
		return Seal{}, damaged("%s comes behind its end", entry.Name)
	} else if err != io.EOF {
		return Seal{}, damaged("it has no end (%v)", err)
	}
	return found, nil
}
