package spool

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const imageRecords = 12

func imageRecord(seq uint64) string {
	return fmt.Sprintf("record %d %s", seq, strings.Repeat("q", int(seq*13%40)))
}

// segmentImage is a segment with some records and marks.
func segmentImage(s sealer, first uint64) []byte {
	b := (&segmentHeader{first: first}).encode()
	for seq := first; seq < first+imageRecords; seq++ {
		if seq%3 == 0 {
			b = appendMark(b, &s, seq, int64(seq), 0)
		}
		r := []byte(imageRecord(seq))
		b = appendFrame(b, &s, frame{kind: 1, seq: seq, pos: seq * 100, payload: r}, checksum(r))
	}
	return b
}

// walk reads all frames and fails when one is not what was written.
func walk(t testing.TB, image []byte, s sealer, first uint64) (found int) {
	t.Helper()
	w := &walker{src: bytes.NewReader(image), off: segmentHeaderBytes, end: int64(len(image)),
		next: first, limit: first + imageRecords, seal: s, alloc: recycle()}
	last := first - 1
	for {
		f, _, err := w.read()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.mark() {
			continue
		}
		if f.seq <= last || string(f.payload) != imageRecord(f.seq) || f.pos != f.seq*100 {
			t.Fatalf("wrong record %d %q", f.seq, f.payload)
		}
		last = f.seq
		found++
	}
}

func TestEveryFlippedByteCostsAtMostItsRecord(t *testing.T) {
	s := sealer{salt: 42}
	image := segmentImage(s, 7)
	if got := walk(t, image, s, 7); got != imageRecords {
		t.Fatalf("%d records of %d in an undamaged segment", got, imageRecords)
	}
	for i := range image {
		for _, flip := range []byte{1, 0x80, 0xff} {
			image[i] ^= flip
			if got := walk(t, image, s, 7); got < imageRecords-1 {
				t.Fatalf("byte %d flipped by %x: %d records of %d", i, flip, got, imageRecords)
			}
			image[i] ^= flip
		}
	}
}

func TestTruncatedSegmentsKeepTheirWholeRecords(t *testing.T) {
	s := sealer{salt: 42}
	image := segmentImage(s, 1)
	last := 0
	for n := range len(image) + 1 {
		got := walk(t, image[:n], s, 1)
		if got < last || got > last+1 {
			t.Fatalf("cut at %d: %d records, one byte less gave %d", n, got, last)
		}
		last = got
	}
	if last != imageRecords {
		t.Fatalf("%d records in the end", last)
	}
}

func TestFramesOfAnotherSegmentDoNotPass(t *testing.T) {
	other := segmentImage(sealer{salt: 41}, 1)
	if got := walk(t, other, sealer{salt: 42}, 1); got != 0 {
		t.Fatalf("%d records", got)
	}
}

func FuzzWalker(f *testing.F) {
	s := sealer{salt: 42}
	image := segmentImage(s, 1)
	f.Add(image[segmentHeaderBytes:], uint16(3), []byte{1})
	f.Add([]byte{}, uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, body []byte, at uint16, patch []byte) {
		walk(t, append(make([]byte, segmentHeaderBytes), body...), s, 1)
		damaged := bytes.Clone(image)
		copy(damaged[min(int(at), len(damaged)):], patch)
		walk(t, damaged, s, 1)
		decodeSegmentHeader(body, [16]byte{})
		decodeFrame(body, &s)
	})
}

// closedLog makes a log of 40 records over several segments and returns its files.
func closedLog(t *testing.T, o Options) {
	t.Helper()
	l := mustOpen(t, o)
	for i := range uint64(40) {
		mustAppend(t, l, 0, imageRecord(i+1)+strings.Repeat("w", 500))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func damageOptions(dir string) Options {
	o := small(dir)
	o.MaxRecordBytes, o.SegmentBytes, o.Shards = 600, 8<<10, 1
	return o
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// readDamaged opens a damaged log and reads it to its end: nothing wrong, nothing twice, gaps declared.
func readDamaged(t *testing.T, dir string) (found, missing int) {
	t.Helper()
	// Thousands of logs are opened: without the kernel's queues, which take milliseconds to give back.
	l, err := open(damageOptions(dir), operatingSystem{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mustAppend(t, l, 0, "last")
	for {
		b, err := l.Next(patient(t), 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		missing += b.Missing
		for i, r := range b.Records {
			if string(r) == "last" {
				if st := l.Stats(); int(st.Corrupt) != missing {
					t.Fatalf("%d missing, stats %+v", missing, st)
				}
				return found, missing
			}
			if want := imageRecord(b.Sequence(i)) + strings.Repeat("w", 500); string(r) != want {
				t.Fatalf("record %d is %q", b.Sequence(i), r)
			}
			found++
		}
	}
}

func TestDamagedFilesCostOneRecord(t *testing.T) {
	whole := t.TempDir()
	closedLog(t, damageOptions(whole))
	segments, err := filepath.Glob(whole + "/*" + segmentSuffix)
	if err != nil || len(segments) < 3 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, segment := range segments {
		info, err := os.Stat(segment)
		if err != nil {
			t.Fatal(err)
		}
		for range 25 {
			dir := t.TempDir()
			copyDir(t, whole, dir)
			off := random.Int64N(info.Size())
			flipByte(t, filepath.Join(dir, filepath.Base(segment)), off)
			found, missing := readDamaged(t, dir)
			if found+missing != 40 || missing > 1 {
				t.Fatalf("%s, byte %d: %d found, %d missing", filepath.Base(segment), off, found, missing)
			}
			copies, _ := filepath.Glob(dir + "/damaged/*")
			if missing == 1 && len(copies) != 1 {
				t.Errorf("%d copies of the damaged stretch", len(copies))
			}
		}
	}
}

func flipByte(t *testing.T, path string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (off % 8)
	if _, err := f.WriteAt(b[:], off); err != nil {
		t.Fatal(err)
	}
}

func TestLostAndDamagedFilesAreContained(t *testing.T) {
	whole := t.TempDir()
	closedLog(t, damageOptions(whole))
	segments, _ := filepath.Glob(whole + "/*" + segmentSuffix)
	middle, last := filepath.Base(segments[1]), filepath.Base(segments[len(segments)-1])
	for _, c := range []struct {
		name    string
		damage  func(dir string) error
		missing func(int) bool
	}{
		{"a segment removed", func(dir string) error { return os.Remove(filepath.Join(dir, middle)) }, func(n int) bool { return n > 5 && n < 20 }},
		{"a segment emptied", func(dir string) error { return os.Truncate(filepath.Join(dir, middle), 0) }, func(n int) bool { return n > 5 && n < 20 }},
		{"the last segment emptied", func(dir string) error { return os.Truncate(filepath.Join(dir, last), 0) }, func(n int) bool { return n > 0 && n < 20 }},
		{"the rings removed", func(dir string) error { return os.Remove(filepath.Join(dir, ringName(0))) }, func(n int) bool { return n == 0 }},
		{"a ring of zeros", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ringName(0)), make([]byte, 5000), 0o600)
		}, func(n int) bool { return n == 0 }},
		{"the cursor removed", func(dir string) error { return os.Remove(filepath.Join(dir, cursorName)) }, func(n int) bool { return n == 0 }},
		{"the progress removed", func(dir string) error { return os.Remove(filepath.Join(dir, progressName)) }, func(n int) bool { return n == 0 }},
		{"strangers", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "00000000000000000001-1.segment"), []byte("x"), 0o600)
		}, func(n int) bool { return n == 0 }},
		{"a torn end", func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, last), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString(strings.Repeat("torn", 30))
			return err
		}, func(n int) bool { return n == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			copyDir(t, whole, dir)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			found, missing := readDamaged(t, dir)
			if found+missing != 40 || !c.missing(missing) {
				t.Errorf("%d found, %d missing", found, missing)
			}
		})
	}
	if err := os.Remove(filepath.Join(whole, metaName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(damageOptions(whole)); err == nil || !strings.Contains(err.Error(), "restore that file") {
		t.Errorf("a log without its identity: %v", err)
	}
}
