package geo

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Databases is a set of databases asked in order; what the first does not know
// the next may. Safe for concurrent use.
type Databases struct {
	paths  []string
	opened atomic.Pointer[[]*database]
	reload sync.Mutex
}

// knownPlaces bounds how many decoded records of a database are kept.
const (
	knownPlacesBits = 14
	knownPlaces     = 1 << knownPlacesBits
)

// A database is one open file and places already read from it, each kept in the
// slot its offset in the file falls in: decoding a record costs ten times what
// finding it does.
type database struct {
	path     string
	reader   *maxminddb.Reader
	modified time.Time
	size     int64
	known    [knownPlaces]atomic.Pointer[knownPlace]
}

type knownPlace struct {
	offset uintptr
	place  Place
}

// Open opens the databases; an empty list is allowed and knows nothing.
func Open(paths []string) (*Databases, error) {
	d := &Databases{paths: paths}
	if _, err := d.Reload(); err != nil {
		return nil, err
	}
	return d, nil
}

// Reload takes up databases whose file changed and reports whether any had. When
// one cannot be opened the old set stays in use.
func (d *Databases) Reload() (changed bool, err error) {
	d.reload.Lock()
	defer d.reload.Unlock()
	old := map[string]*database{}
	if current := d.opened.Load(); current != nil {
		for _, db := range *current {
			old[db.path] = db
		}
	}
	next := make([]*database, 0, len(d.paths))
	for _, path := range d.paths {
		info, err := os.Stat(path)
		if err != nil {
			return false, fmt.Errorf("GeoIP database %s cannot be read: %w; correct --geoip", path, err)
		}
		if db := old[path]; db != nil && db.modified.Equal(info.ModTime()) && db.size == info.Size() {
			next = append(next, db)
			continue
		}
		// Read, not mapped: a database overwritten in place would take a mapping,
		// and with it the process, down.
		content, err := os.ReadFile(path)
		if err != nil {
			return false, fmt.Errorf("GeoIP database %s cannot be read: %w; correct --geoip", path, err)
		}
		reader, err := maxminddb.OpenBytes(content)
		if err != nil {
			return false, fmt.Errorf("GeoIP database %s is not in MaxMind format: %w; replace the file or correct --geoip", path, err)
		}
		next = append(next, &database{path: path, reader: reader, modified: info.ModTime(), size: info.Size()})
		changed = true
	}
	d.opened.Store(&next)
	return changed, nil
}

// Lookup returns what is known of addr.
func (d *Databases) Lookup(addr netip.Addr) Place {
	var place Place
	for i, db := range *d.opened.Load() {
		found := db.lookup(addr)
		switch {
		case found == nil:
		case i == 0:
			place = *found
		default:
			place.merge(found)
		}
	}
	return place
}

// BuildTimes returns when each database was built, by path.
func (d *Databases) BuildTimes() map[string]time.Time {
	times := map[string]time.Time{}
	for _, db := range *d.opened.Load() {
		times[db.path] = time.Unix(int64(db.reader.Metadata.BuildEpoch), 0).UTC()
	}
	return times
}

// lookup returns the place of addr in this database, or nil. The place is shared.
func (db *database) lookup(addr netip.Addr) *Place {
	result := db.reader.Lookup(addr)
	if !result.Found() {
		return nil
	}
	offset := result.Offset()
	slot := &db.known[uint64(offset)*0x9e3779b97f4a7c15>>(64-knownPlacesBits)]
	if known := slot.Load(); known != nil && known.offset == offset {
		return &known.place
	}
	var record map[string]any
	if err := result.Decode(&record); err != nil {
		return nil
	}
	known := &knownPlace{offset: offset, place: placeOf(record)}
	slot.Store(known)
	return &known.place
}
