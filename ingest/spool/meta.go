package spool

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"time"
)

const (
	metaName     = "log"
	cursorName   = "cursor"
	progressName = "progress"
	lockName     = "lock"
	metaVersion  = 1
)

// meta is what makes a directory a log: who it is, and the secret its checksums are salted with.
type meta struct {
	Identity  [16]byte
	Secret    [32]byte
	CreatedMS int64
}

// openMeta reads the log's identity and makes it at the first open. A directory with records but without its
// identity is refused: its checksums could not be verified.
func openMeta(fs fileSystem, dir string, names []string, now time.Time) (*meta, error) {
	path := filepath.Join(dir, metaName)
	slots, value, err := openSlots(fs, path)
	if err != nil {
		return nil, err
	}
	defer slots.close()
	m := &meta{}
	if value != nil {
		if len(value) != 4+16+32+8 || binary.LittleEndian.Uint32(value) != metaVersion {
			return nil, fmt.Errorf("%s was written by another version of tributary: run that version, or move %s away", path, dir)
		}
		copy(m.Identity[:], value[4:])
		copy(m.Secret[:], value[20:])
		m.CreatedMS = int64(binary.LittleEndian.Uint64(value[52:]))
		return m, nil
	}
	for _, name := range names {
		if _, _, ok := parseSegmentName(name); ok {
			return nil, fmt.Errorf("%s is missing or damaged but %s holds records: restore that file from a backup, or move the directory away", path, dir)
		}
	}
	if _, err := rand.Read(m.Identity[:]); err != nil {
		return nil, err
	}
	if _, err := rand.Read(m.Secret[:]); err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32(nil, metaVersion)
	b = append(b, m.Identity[:]...)
	b = append(b, m.Secret[:]...)
	m.CreatedMS = wallMS(now)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.CreatedMS))
	for range 2 { // both slots, so that no single damage loses it
		if err := slots.save(b, true); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return m, fs.SyncDir(dir)
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
