package visitor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Window is how long after midnight yesterday's salt still matches, in
// milliseconds: as long as a visitor is remembered without a hit.
const Window = 30 * 60 * 1000

const dayMs = 24 * 60 * 60 * 1000

// A salt is the secret of one day.
type salt [32]byte

// Salts hold today's and yesterday's salt. Safe for concurrent use.
type Salts struct {
	path    string
	current atomic.Pointer[saltDay]
	turning sync.Mutex
}

// saltDay is the pair of salts in use on one day; immutable.
type saltDay struct {
	day          int64 // days since the Unix epoch
	today        salt
	yesterday    salt
	hasYesterday bool
}

// saltFile is how salts lie on disk.
type saltFile struct {
	Day       int64  `json:"day"`
	Today     []byte `json:"today"`
	Yesterday []byte `json:"yesterday,omitempty"`
}

// OpenSalts reads the salts kept at path, or begins new ones there.
func OpenSalts(path string, nowMs int64) (*Salts, error) {
	s := &Salts{path: path}
	kept, err := readSalts(path)
	if err != nil {
		return nil, err
	}
	s.current.Store(kept)
	if err := s.turn(nowMs / dayMs); err != nil {
		return nil, err
	}
	return s, nil
}

// Visitor is a shopper's keyed hash under today's salt and, in the first window
// of a day, under yesterday's (otherwise 0). scratch is reused between calls and
// returned.
func (s *Salts) Visitor(scratch []byte, nowMs int64, addr netip.Addr, userAgent []byte, advertiser string) (today, yesterday uint64, _ []byte) {
	day := s.current.Load()
	if nowMs/dayMs > day.day && s.turning.TryLock() {
		// The first click of a day starts the turn and goes on under the old salt:
		// a shopper does not wait for the disk.
		go func() {
			defer s.turning.Unlock()
			_ = s.turn(nowMs / dayMs)
		}()
	}
	raw := addr.As16()
	scratch = append(scratch[:0], day.today[:]...)
	scratch = append(scratch, raw[:]...)
	scratch = binary.BigEndian.AppendUint16(scratch, uint16(len(advertiser)))
	scratch = append(scratch, advertiser...)
	scratch = append(scratch, userAgent...)
	today = hash(scratch)
	if day.hasYesterday && nowMs%dayMs < Window {
		copy(scratch, day.yesterday[:])
		yesterday = hash(scratch)
	}
	return today, yesterday, scratch
}

// hash cuts SHA-256 to 64 bits; as the salt stands in front and the digest is
// cut, nothing can be appended to what was hashed. 0 stands for "no visitor".
func hash(data []byte) uint64 {
	digest := sha256.Sum256(data)
	return max(1, binary.BigEndian.Uint64(digest[:8]))
}

// MoveTo turns to the day of a time at once, be it an earlier day: the clock of a
// rehearsal was moved.
func (s *Salts) MoveTo(nowMs int64) error {
	s.turning.Lock()
	defer s.turning.Unlock()
	if day := nowMs / dayMs; day < s.current.Load().day {
		return s.begin(day)
	}
	return s.turn(nowMs / dayMs)
}

// turn moves on to a day that is later than the present one.
func (s *Salts) turn(day int64) error {
	if old := s.current.Load(); old != nil && old.day >= day {
		return nil
	}
	return s.begin(day)
}

// begin begins a day: its salt is drawn, yesterday's kept, older forgotten. A
// salt that cannot be written is used all the same: what is at stake is a
// visitor counted twice after a restart.
func (s *Salts) begin(day int64) error {
	old := s.current.Load()
	next := &saltDay{day: day}
	if _, err := rand.Read(next.today[:]); err != nil {
		return fmt.Errorf("draw the visitor salt: %w", err)
	}
	if old != nil && old.day == day-1 {
		next.yesterday, next.hasYesterday = old.today, true
	}
	err := writeSalts(s.path, next)
	s.current.Store(next)
	return err
}

func readSalts(path string) (*saltDay, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the visitor salts: %w", err)
	}
	var file saltFile
	if err := json.Unmarshal(content, &file); err != nil || len(file.Today) != len(salt{}) {
		return nil, fmt.Errorf("the visitor salts in %s are damaged: remove the file; visitors of the last 30 minutes may then count twice", path)
	}
	day := &saltDay{day: file.Day, today: salt(file.Today)}
	if len(file.Yesterday) == len(salt{}) {
		day.yesterday, day.hasYesterday = salt(file.Yesterday), true
	}
	return day, nil
}

func writeSalts(path string, day *saltDay) error {
	file := saltFile{Day: day.day, Today: day.today[:]}
	if day.hasYesterday {
		file.Yesterday = day.yesterday[:]
	}
	content, err := json.Marshal(file)
	if err != nil {
		return err
	}
	if err := replaceFile(path, content); err != nil {
		return fmt.Errorf("write the visitor salts: %w", err)
	}
	return nil
}

// replaceFile puts content at path in one step, on disk before it returns.
func replaceFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".salts-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
