package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

var made = Header{Program: "v1", MadeAt: time.Date(2027, 3, 14, 0, 0, 0, 0, time.UTC), Bytes: 3004, Missing: []string{"ClickHouse"}}

func written(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, made)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a": "one", "dir/b": strings.Repeat("x", 3000), "empty": "", "c": "2"} {
		if err := w.File(name, int64(len(content)), strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	files := map[string]string{}
	var header Header
	seal, err := Read(bytes.NewReader(written(t)), Visitor{
		Header: func(h Header) error { header = h; return nil },
		File: func(name string, size int64, content io.Reader) error {
			text, err := io.ReadAll(content)
			if int64(len(text)) != size {
				t.Errorf("%s has %d bytes of %d", name, len(text), size)
			}
			files[name] = string(text)
			return err
		},
	})
	if err != nil || len(files) != 4 || files["dir/b"] != strings.Repeat("x", 3000) || files["c"] != "2" {
		t.Errorf("read %v: %v", files, err)
	}
	if header.Program != "v1" || header.Bytes != 3004 || !slices.Equal(header.Missing, made.Missing) || seal.Files != 5 {
		t.Errorf("header %+v, seal %+v", header, seal)
	}
}

// TestEveryCutAndEveryChangeIsNoticed cuts an archive at every byte, and changes
// every byte that a reader uses.
func TestEveryCutAndEveryChangeIsNoticed(t *testing.T) {
	whole := written(t)
	end := bytes.LastIndex(whole, []byte("}\n")) + 2
	for n := range end {
		if _, err := Read(bytes.NewReader(whole[:n]), Visitor{}); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut off at %d of %d: %v", n, len(whole), err)
		}
	}
	for n := range end {
		changed := slices.Clone(whole)
		changed[n] ^= 0x20
		seal, err := Read(bytes.NewReader(changed), Visitor{})
		if err == nil && whole[n] != 0 && whole[n] != ' ' { // what tar fills up with
			t.Fatalf("byte %d (%q) changed: %+v", n, whole[max(0, n-20):n+1], seal)
		}
	}
}

func TestWhatIsNoArchiveIsRefused(t *testing.T) {
	plain := func(name string, kind byte) []byte {
		var out bytes.Buffer
		w, err := NewWriter(&out, made)
		if err == nil {
			err = w.tar.WriteHeader(&tar.Header{Typeflag: kind, Name: name, Linkname: "/etc", Mode: 0o600})
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "text": bytes.Repeat([]byte("hello "), 500),
		"a path out": plain("../secrets.json", tar.TypeReg), "an absolute path": plain("/etc/passwd", tar.TypeReg),
		"a symbolic link": plain("link", tar.TypeSymlink), "a path that is not clean": plain("a/../b", tar.TypeReg),
	} {
		if _, err := Read(bytes.NewReader(content), Visitor{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFileThatIsTooShortIsNoFile(t *testing.T) {
	w, err := NewWriter(io.Discard, made)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.File("a", 5, strings.NewReader("four")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

var errDisk = errors.New("the disk failed")

type brokenReader struct{ io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	return 0, errDisk
}

func TestAFailingDiskIsNotDamage(t *testing.T) {
	_, err := Read(brokenReader{bytes.NewReader(written(t)[:2000])}, Visitor{})
	if !errors.Is(err, errDisk) || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}
