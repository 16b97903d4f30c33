package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	metaName     = "log"
	cursorName   = "cursor"
	progressName = "progress"
	lockName     = "lock"
	metaVersion  = 1
	metaBytes    = 4 + 16 + 32 + 8
)

// meta is what makes a directory a log: who it is, and the secret its checksums are salted with.
type meta struct {
	Identity  [16]byte
	Secret    [32]byte
	CreatedMS int64
}

// openMeta reads the log's identity and makes it at the first open. A directory with records but without its
// identity is refused: its checksums could not be verified. Before there is a segment the identity and the directory
// are made durable, each time: an earlier process may have been killed before it could.
func openMeta(fs fileSystem, dir string, names []string, now time.Time) (*meta, error) {
	path := filepath.Join(dir, metaName)
	slots, value, err := openSlots(fs, path)
	if err != nil {
		return nil, err
	}
	defer slots.close()
	begun := slices.ContainsFunc(names, func(name string) bool { _, _, ok := parseSegmentName(name); return ok })
	m := &meta{}
	switch {
	case value == nil && begun:
		return nil, fmt.Errorf("%s is missing or damaged but %s holds records: restore that file from a backup, or move the directory away", path, dir)
	case value == nil:
		if _, err := rand.Read(m.Identity[:]); err != nil {
			return nil, err
		}
		if _, err := rand.Read(m.Secret[:]); err != nil {
			return nil, err
		}
		m.CreatedMS = wallMS(now)
	case len(value) != metaBytes || binary.LittleEndian.Uint32(value) != metaVersion:
		return nil, fmt.Errorf("%s was written by another version of tributary: run that version, or move %s away", path, dir)
	default:
		copy(m.Identity[:], value[4:])
		copy(m.Secret[:], value[20:])
		m.CreatedMS = int64(binary.LittleEndian.Uint64(value[52:]))
	}
	if begun {
		return m, nil
	}
	for range 2 { // both slots, so that no single damage loses it
		if err := slots.save(m.encode(), true); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return m, syncUpwards(fs, dir)
}

func (m *meta) encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, metaVersion)
	b = append(b, m.Identity[:]...)
	b = append(b, m.Secret[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(m.CreatedMS))
}

// syncUpwards makes a directory's entries durable, and its own and those of the directories it lies in, which may be as
// new. Where this user may not, or the file system cannot, somebody else has made them.
func syncUpwards(fs fileSystem, dir string) error {
	if err := fs.SyncDir(dir); err != nil {
		return err
	}
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		if err := fs.SyncDir(parent); err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return nil
}

// progress is a hint that survives kill -9, not power loss: how far records were synced. It keeps what was synced
// from being drained again, and its sequence from being given again, when the end of the last segment is damaged.
type progress struct {
	synced  uint64
	drained [maxShards]uint64
}

func (p *progress) encode(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, p.synced)
	for _, pos := range p.drained {
		dst = binary.LittleEndian.AppendUint64(dst, pos)
	}
	return dst
}

func decodeProgress(b []byte) (p progress) {
	if len(b) != 8+8*maxShards {
		return p
	}
	p.synced = binary.LittleEndian.Uint64(b)
	for i := range p.drained {
		p.drained[i] = binary.LittleEndian.Uint64(b[8+8*i:])
	}
	return p
}
