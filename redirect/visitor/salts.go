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
	"slices"
	"sync"
	"sync/atomic"
)

// Window is how long a salt still matches once another took its place, in
// milliseconds: as long as a visitor is remembered without a hit.
const Window = 30 * 60 * 1000

const dayMs = 24 * 60 * 60 * 1000

// lateMs is how much longer a salt is kept than it matches, for a hit that read its
// clock just before.
const lateMs = 10 * 1000

// A salt is the secret of one day.
type salt [32]byte

// Salts hold the salt of today and those before it that still match. Safe for
// concurrent use.
type Salts struct {
	path    string
	current atomic.Pointer[saltDay]

	turning   sync.Mutex
	unwritten bool // what is in use is not on disk
}

// saltDay is the salts in use on one day; immutable.
type saltDay struct {
	day     int64 // days since the Unix epoch
	today   salt
	earlier []earlierSalt // those that still match, the soonest over first
	next    *salt         // tomorrow's, where trackers agreed on it
}

// An earlierSalt matches until its time is over.
type earlierSalt struct {
	salt
	untilMs int64
}

// saltFile is how salts lie on disk.
type saltFile struct {
	Day     int64         `json:"day"`
	Today   []byte        `json:"today"`
	Earlier []earlierFile `json:"earlier,omitempty"`
	Next    []byte        `json:"next,omitempty"`
}

type earlierFile struct {
	Salt    []byte `json:"salt"`
	UntilMs int64  `json:"until_ms"`
}

// OpenSalts reads the salts kept at path, or begins new ones there. Those that match
// no more are forgotten, on disk too.
func OpenSalts(path string, nowMs int64) (*Salts, error) {
	if err := removeUnfinished(path); err != nil {
		return nil, err
	}
	s := &Salts{path: path}
	kept, err := readSalts(path)
	if err != nil {
		return nil, err
	}
	s.current.Store(kept)
	if err := s.Turn(nowMs); err != nil {
		return nil, err
	}
	return s, nil
}

// Remove forgets the salts kept at path, where nothing is clicked any more.
func Remove(path string) error {
	if err := removeUnfinished(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the visitor salts: %w", err)
	}
	return nil
}

// Visitor is a shopper's keyed hash under today's salt and, in the first window
// of a day, under yesterday's (otherwise 0). scratch is reused between calls and
// returned.
//
// Where several salts still match, the one that is over first counts: while it
// did, every shopper was hashed under it too.
func (s *Salts) Visitor(scratch []byte, nowMs int64, addr netip.Addr, userAgent []byte, advertiser string) (today, yesterday uint64, _ []byte) {
	day := s.current.Load()
	if nowMs/dayMs > day.day && s.turning.TryLock() {
		// The first click of a day starts the turn and goes on under the old salt:
		// a shopper does not wait for the disk.
		go func() {
			defer s.turning.Unlock()
			_ = s.turn(nowMs) // what is not on disk is written by the next Turn
		}()
	}
	raw := addr.As16()
	scratch = append(scratch[:0], day.today[:]...)
	scratch = append(scratch, raw[:]...)
	scratch = binary.BigEndian.AppendUint16(scratch, uint16(len(advertiser)))
	scratch = append(scratch, advertiser...)
	scratch = append(scratch, userAgent...)
	today = hash(scratch)
	for i := range day.earlier {
		if before := &day.earlier[i]; nowMs < before.untilMs {
			copy(scratch, before.salt[:])
			yesterday = hash(scratch)
			break
		}
	}
	return today, yesterday, scratch
}

// hash cuts SHA-256 to 64 bits; as the salt stands in front and the digest is
// cut, nothing can be appended to what was hashed. 0 stands for "no visitor".
func hash(data []byte) uint64 {
	digest := sha256.Sum256(data)
	return max(1, binary.BigEndian.Uint64(digest[:8]))
}

// Turn turns to the day of a time, forgets salts that match no more, and writes what
// could not be written before. It is to be called again and again, at least once a
// minute, so that salts go also where nobody clicks.
//
// An earlier day is turned to when the clock was set back by more than a window.
func (s *Salts) Turn(nowMs int64) error {
	s.turning.Lock()
	defer s.turning.Unlock()
	if old := s.current.Load(); old != nil && nowMs+Window < old.day*dayMs {
		return s.begin(nowMs)
	}
	return s.turn(nowMs)
}

// turn is Turn for a clock that goes forward.
func (s *Salts) turn(nowMs int64) error {
	old := s.current.Load()
	if old == nil || old.day < nowMs/dayMs {
		return s.begin(nowMs)
	}
	if earlier := still(old.earlier, nowMs-lateMs); len(earlier) < len(old.earlier) {
		next := *old
		next.earlier = earlier
		return s.use(&next)
	}
	if s.unwritten {
		return s.use(old)
	}
	return nil
}

// begin begins a day: its salt is drawn, or the one trackers agreed on is taken,
// those that still match are kept, others forgotten.
func (s *Salts) begin(nowMs int64) error {
	old, day := s.current.Load(), nowMs/dayMs
	next := &saltDay{day: day}
	rand.Read(next.today[:]) // never fails: the runtime ends the process instead
	if old != nil && old.day == day-1 {
		if old.next != nil {
			next.today = *old.next
		}
		next.earlier = still(append(slices.Clone(old.earlier), earlierSalt{old.today, day*dayMs + Window}), nowMs-lateMs)
	}
	return s.use(next)
}

// use puts salts on disk and into use. Salts that cannot be written are used all the
// same: what is at stake is a visitor counted twice after a restart.
func (s *Salts) use(day *saltDay) error {
	err := writeSalts(s.path, day)
	s.unwritten = err != nil
	s.current.Store(day)
	return err
}

// still are the salts that match at a time, in a list of their own.
func still(earlier []earlierSalt, nowMs int64) []earlierSalt {
	return slices.DeleteFunc(slices.Clone(earlier), func(e earlierSalt) bool { return e.untilMs <= nowMs })
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
	for _, e := range file.Earlier {
		if len(e.Salt) == len(salt{}) {
			day.earlier = append(day.earlier, earlierSalt{salt(e.Salt), e.UntilMs})
		}
	}
	if len(file.Next) == len(salt{}) {
		next := salt(file.Next)
		day.next = &next
	}
	return day, nil
}

func writeSalts(path string, day *saltDay) error {
	file := saltFile{Day: day.day, Today: day.today[:]}
	for i := range day.earlier {
		file.Earlier = append(file.Earlier, earlierFile{day.earlier[i].salt[:], day.earlier[i].untilMs})
	}
	if day.next != nil {
		file.Next = day.next[:]
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

// unfinished are the names that files have until they are whole.
const unfinished = ".salts-*"

// replaceFile puts content at path in one step, on disk before it returns, so that
// what was there before does not come back.
func replaceFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, unfinished) // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	names, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(names.Sync(), names.Close())
}

// removeUnfinished removes what a process left that ended while it wrote: there are
// salts in it.
func removeUnfinished(path string) error {
	dir := filepath.Dir(path)
	left, err := fs.Glob(os.DirFS(dir), unfinished)
	if err != nil {
		return fmt.Errorf("look for unfinished visitor salts: %w", err)
	}
	for _, name := range left {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove unfinished visitor salts: %w", err)
		}
	}
	return nil
}
