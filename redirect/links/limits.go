package links

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Limits counts the clicks of links that have a maximum. The counts stand in a
// memory-mapped file, so that they survive the process, however it ends; a
// power loss costs what the system had not written yet, commonly the last 30 s.
// The file grows by 256 KiB with every 16,384 links that are counted, up to
// MaxLimitedLinks.
//
// Trackers that can talk to each other tell what they counted (limits_shared.go);
// what the others did stands in the file too. Their clicks count a moment later,
// so a link can have more than its maximum by what arrives at the others in one
// exchange.
//
// All methods may be called by any number of goroutines, also after Close, which
// only makes the file durable.
type Limits struct {
	log     *slog.Logger
	current atomic.Pointer[counters]

	room     int // for so many counters
	identity string

	mu       sync.Mutex    // held to add a counter
	file     *os.File      // nil after Close
	fileSize int64         // where the next segment of the file goes
	used     int           // counters given out
	full     bool          // it was logged that there is no room for more
	shared   limitExchange // of Exchange alone
	detached bool          // the file cannot grow; it was logged
}

// MaxLimitedLinks is how many links Limits can count; their file has 256 MiB.
const MaxLimitedLinks = 1 << 24

const (
	limitsName    = "links.limits"
	limitsMagic   = "TRBLIMIT"
	limitsVersion = 1

	// The file is a page with magic, version and their CRC, and segments of
	// counters. Pages of 16 KiB are the largest where it runs.
	limitsHeaderBytes  = 16 << 10
	countersPerSegment = 1 << 14
	counterBytes       = 16
	segmentBytes       = countersPerSegment * counterBytes
)

// counters are the counters given out so far, and where each link's is.
type counters struct {
	byLink   *table // link number → position of the counter
	segments []*segment
}

// A segment is a stretch of counters, in the file or, where that could not grow,
// in memory.
type segment struct {
	memory   *region
	counters []counter
}

// A counter belongs to the link whose number it has; 0 is nobody's. Check tells
// a number from damage. Clicks of both kinds are one word, so that what is taken
// is never more than the link may have by what is known.
type counter struct {
	link   atomic.Uint64 // number<<16 | check
	clicks atomic.Uint64 // others' <<32 | own
}

// A counter counts no further than these.
const (
	maxOwnClicks    = 1<<32 - 1
	maxOthersClicks = 1<<31 - 1 // a greater one is damage
)

func ownClicks(clicks uint64) int64 { return int64(clicks & maxOwnClicks) }

func othersClicks(clicks uint64) int64 { return int64(clicks >> 32) }

const checkBits = 16

func linkWord(number uint64) uint64 {
	return number<<checkBits | hashNumber(number)>>(64-checkBits)
}

func newSegment(memory *region) *segment {
	first := (*counter)(unsafe.Pointer(unsafe.SliceData(memory.mem)))
	return &segment{memory: memory, counters: unsafe.Slice(first, countersPerSegment)}
}

func (c *counters) at(i uint64) *counter {
	return &c.segments[i/countersPerSegment].counters[i%countersPerSegment]
}

func (c *counters) find(hash, number uint64) *counter {
	p := c.byLink.probe(hash)
	for {
		i, ok := p.next()
		if !ok {
			return nil
		}
		if i/countersPerSegment >= uint64(len(c.segments)) {
			continue // given out since; add will find it
		}
		if counter := c.at(i); counter.link.Load() == linkWord(number) {
			return counter
		}
	}
}

// OpenLimits opens the counters in dir, which it makes when there are none. A
// damaged file is logged and replaced: counting begins again at zero.
func OpenLimits(dir string, log *slog.Logger) (*Limits, error) {
	if log == nil {
		log = slog.Default()
	}
	path := filepath.Join(dir, limitsName)
	l, err := openLimits(path, log)
	if !errors.Is(err, errLimits) {
		return l, err
	}
	log.Error("counts of clicks on limited links are damaged; they begin again at zero", "file", path, "error", err)
	if err := os.Rename(path, path+".damaged"); err != nil {
		return nil, err
	}
	return openLimits(path, log)
}

// errLimits says that a file holds no counters.
var errLimits = errors.New("not a file of click counts")

func openLimits(path string, log *slog.Logger) (_ *Limits, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := &Limits{log: log, file: f, room: MaxLimitedLinks}
	if err := l.read(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// read takes over what is in the file.
func (l *Limits) read() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size == 0 {
		if err := l.writeHeader(); err != nil {
			return err
		}
		size = limitsHeaderBytes
	}
	if err := l.checkHeader(); err != nil {
		return err
	}
	// A process that died while the file grew left a part of a segment; growFile
	// writes over it.
	segments := (size - limitsHeaderBytes) / segmentBytes
	if size < limitsHeaderBytes || segments > MaxLimitedLinks/countersPerSegment {
		return fmt.Errorf("%w: it has %d bytes", errLimits, size)
	}
	if err := l.readIdentity(); err != nil {
		return err
	}
	c := &counters{byLink: newTable(int(segments)*countersPerSegment, heapMemory)}
	l.fileSize = limitsHeaderBytes
	for range segments {
		memory, err := mapFile(l.file, l.fileSize, segmentBytes)
		if err != nil {
			return err
		}
		c.segments = append(c.segments, newSegment(memory))
		l.fileSize += segmentBytes
	}
	return l.assign(c)
}

// assign gives every counter in the file to its link.
func (l *Limits) assign(c *counters) error {
	for i := range uint64(len(c.segments) * countersPerSegment) {
		counter := c.at(i)
		word, clicks := counter.link.Load(), counter.clicks.Load()
		number := word >> checkBits
		switch {
		case word == 0 && clicks == 0:
			continue // not given out yet, or lost with the power
		case word != linkWord(number) || othersClicks(clicks) > maxOthersClicks:
			return fmt.Errorf("%w: counter %d is damaged", errLimits, i)
		}
		c.byLink.insert(hashNumber(number), i)
		l.used = int(i) + 1
	}
	l.current.Store(c)
	return nil
}

func limitsHeader() []byte {
	header := []byte(limitsMagic)
	header = binary.LittleEndian.AppendUint32(header, limitsVersion)
	return binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, crcTable))
}

func (l *Limits) writeHeader() error {
	page := make([]byte, limitsHeaderBytes)
	copy(page, limitsHeader())
	if _, err := l.file.WriteAt(page, 0); err != nil {
		return err
	}
	return l.file.Sync()
}

func (l *Limits) checkHeader() error {
	header := make([]byte, len(limitsHeader()))
	if _, err := l.file.ReadAt(header, 0); err != nil && err != io.EOF {
		return err
	}
	if string(header) != string(limitsHeader()) {
		return fmt.Errorf("%w: its header is damaged", errLimits)
	}
	return nil
}

// Take counts a click of the link with a number and reports true, or, when the
// link is known to have had most of them already, counts nothing and reports false. It takes no lock
// but for a link's first click. A click on a link there is no room to count
// (MaxLimitedLinks) is allowed.
func (l *Limits) Take(number uint64, most int64) bool {
	counter := l.find(number)
	if counter == nil {
		counter = l.findOrAdd(number)
	}
	taken := counter == nil || counter.take(most)
	runtime.KeepAlive(l) // and with it the memory the counter is in
	return taken
}

func (c *counter) take(most int64) bool {
	for {
		clicks := c.clicks.Load()
		own := ownClicks(clicks)
		if own+othersClicks(clicks) >= most {
			return false
		}
		if own == maxOwnClicks || c.clicks.CompareAndSwap(clicks, clicks+1) {
			return true
		}
	}
}

// Count returns how many clicks are known to have been taken of the link with a
// number, here and by other trackers.
func (l *Limits) Count(number uint64) int64 {
	count := int64(0)
	if counter := l.find(number); counter != nil {
		clicks := counter.clicks.Load()
		count = ownClicks(clicks) + othersClicks(clicks)
	}
	runtime.KeepAlive(l)
	return count
}

func (l *Limits) find(number uint64) *counter {
	return l.current.Load().find(hashNumber(number), number)
}

// findOrAdd returns a link's counter, or nil when there is no room for it.
func (l *Limits) findOrAdd(number uint64) *counter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if counter := l.find(number); counter != nil { // another was faster
		return counter
	}
	return l.add(hashNumber(number), number)
}

func (l *Limits) add(hash, number uint64) *counter {
	c := l.current.Load()
	if l.used >= l.room {
		if !l.full {
			l.full = true
			l.log.Error("too many links with a maximum of clicks; more are not limited", "links", l.used)
		}
		return nil
	}
	if l.used == len(c.segments)*countersPerSegment || c.byLink.full() {
		c = l.grown(c)
		l.current.Store(c)
	}
	i := uint64(l.used)
	l.used++
	counter := c.at(i)
	counter.clicks.Store(0)
	counter.link.Store(linkWord(number))
	c.byLink.insert(hash, i)
	return counter
}

// grown returns the counters with room for another.
func (l *Limits) grown(c *counters) *counters {
	larger := &counters{byLink: c.byLink, segments: c.segments}
	if l.used == len(c.segments)*countersPerSegment {
		larger.segments = append(larger.segments, newSegment(l.newMemory()))
	}
	if larger.byLink.full() {
		larger.byLink = c.byLink.rehashed(heapMemory, func(i uint64) (hash, same uint64) {
			return hashNumber(c.at(i).link.Load() >> checkBits), i
		})
	}
	return larger
}

// newMemory makes the file a segment longer. The bytes are written, not left to
// be filled in by the system: a full disk must be an error here, not a fault
// when a counter is touched. When it is, the segment is in memory only.
func (l *Limits) newMemory() *region {
	memory, err := l.growFile()
	if err == nil {
		l.detached = false
		return memory
	}
	if !l.detached {
		l.detached = true
		l.log.Error("file of click counts cannot grow; new limited links are counted in memory only, until a restart", "error", err)
	}
	return mapMemory(segmentBytes)
}

func (l *Limits) growFile() (*region, error) {
	if l.file == nil {
		return nil, os.ErrClosed
	}
	if _, err := l.file.WriteAt(make([]byte, segmentBytes), l.fileSize); err != nil {
		return nil, errors.Join(err, l.file.Truncate(l.fileSize))
	}
	memory, err := mapFile(l.file, l.fileSize, segmentBytes)
	if err != nil {
		return nil, errors.Join(err, l.file.Truncate(l.fileSize))
	}
	l.fileSize += segmentBytes
	return memory, nil
}

// Close brings the counts to the disk. Clicks taken later are still counted in
// the file, but no longer known to be on the disk.
func (l *Limits) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}
