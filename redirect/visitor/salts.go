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

// A salt is the secret of one day.
type salt [32]byte

// Salts hold the salt of today and those before it that still match. Safe for
// concurrent use.
type Salts struct {
	path    string
	current atomic.Pointer[saltDay]
	turning sync.Mutex
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

// begin begins a day: its salt is drawn, or the one trackers agreed on is taken,
// those that still match are kept, others forgotten. A salt that cannot be written
// is used all the same: what is at stake is a visitor counted twice after a restart.
func (s *Salts) begin(day int64) error {
	old := s.current.Load()
	next := &saltDay{day: day}
	if old != nil && old.day == day-1 {
		next.earlier = append(still(old.earlier, day*dayMs), earlierSalt{old.today, day*dayMs + Window})
	}
	if next.earlier != nil && old.next != nil {
		next.today = *old.next
	} else if _, err := rand.Read(next.today[:]); err != nil {
		return fmt.Errorf("draw the visitor salt: %w", err)
	}
	return s.use(next)
}

// use puts salts on disk and into use.
func (s *Salts) use(day *saltDay) error {
	err := writeSalts(s.path, day)
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
