package spool

import (
	"fmt"
	"path/filepath"
	"sync"
)

const (
	damagedDir      = "damaged"
	maxDamagedFiles = 64
	maxDamagedBytes = 256 << 10 // of one stretch
)

// damagedFiles counts the copies of damaged stretches kept for whoever wants to look into them: at most 64 of 256 KiB.
type damagedFiles struct {
	once sync.Once
	kept map[string]bool
}

// keepDamaged copies a stretch that held no frame to the directory damaged. It is best effort: the records in it are
// counted as lost in any case.
func (r *reader) keepDamaged(f file, s *segment, from, to int64) {
	l, d := r.log, &r.damaged
	dir := filepath.Join(l.opt.Dir, damagedDir)
	d.once.Do(func() {
		d.kept = map[string]bool{}
		names, _ := l.fs.ReadDir(dir)
		for _, name := range names {
			d.kept[name] = true
		}
	})
	name := fmt.Sprintf("%s-%d", filepath.Base(s.path), from)
	if d.kept[name] || len(d.kept) >= maxDamagedFiles {
		return
	}
	d.kept[name] = true
	if err := copyDamaged(l.fs, dir, name, f, from, min(to, from+maxDamagedBytes)); err != nil {
		l.log.Warn("spool cannot keep a copy of a damaged stretch", "segment", s.path, "offset", from, "error", err)
	}
}

func copyDamaged(fs fileSystem, dir, name string, f file, from, to int64) error {
	if err := fs.MkdirAll(dir); err != nil {
		return err
	}
	b := make([]byte, to-from)
	n, err := readUpTo(f, b, from)
	if err != nil {
		return err
	}
	out, err := fs.Open(filepath.Join(dir, name), true)
	if err != nil {
		return err
	}
	err = writeFull(out, b[:n], 0)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
