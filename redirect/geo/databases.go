package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Databases is a set of databases asked in order; what the first does not know
// the next may. Safe for concurrent use.
type Databases struct {
	opened atomic.Pointer[Set]
	using  sync.Mutex // held to change opened
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

// A Set is databases that were opened and are not in use yet.
type Set []*database

// Open opens the databases; an empty list is allowed and knows nothing.
func Open(paths []string) (*Databases, error) {
	d := &Databases{}
	d.opened.Store(&Set{})
	set, err := d.Read(paths)
	if err != nil {
		return nil, err
	}
	d.Use(set)
	return d, nil
}

// Read opens databases beside those in use, which stay so; one that is in use and
// has not changed is not read again. The error names every one that cannot be used.
func (d *Databases) Read(paths []string) (Set, error) {
	return read(paths, *d.opened.Load())
}

// Use has these databases asked from now on, and no others, and reports whether
// they differ from those before.
func (d *Databases) Use(set Set) (changed bool) {
	d.using.Lock()
	defer d.using.Unlock()
	changed = !slices.Equal(set, *d.opened.Load())
	d.opened.Store(&set)
	return changed
}

// Reload takes up databases whose file changed and reports whether any had. When
// one cannot be opened the old set stays in use.
func (d *Databases) Reload() (changed bool, err error) {
	d.using.Lock()
	defer d.using.Unlock()
	old := *d.opened.Load()
	paths := make([]string, len(old))
	for i, db := range old {
		paths[i] = db.path
	}
	set, err := read(paths, old)
	if err != nil {
		return false, err
	}
	d.opened.Store(&set)
	return !slices.Equal(set, old), nil
}

// read opens databases, but for those of old that have not changed.
func read(paths []string, old Set) (Set, error) {
	set, failed := make(Set, 0, len(paths)), []error(nil)
	for _, path := range paths {
		var known *database
		if i := slices.IndexFunc(old, func(db *database) bool { return db.path == path }); i >= 0 {
			known = old[i]
		}
		db, err := openDatabase(path, known)
		set, failed = append(set, db), append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return set, nil
}

// openDatabase opens a database, or returns the known one of that path when the file
// is as it was.
func openDatabase(path string, known *database) (*database, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("GeoIP database %s cannot be read: %w; correct --geoip", path, err)
	}
	if known != nil && known.modified.Equal(info.ModTime()) && known.size == info.Size() {
		return known, nil
	}
	// Read, not mapped: a database overwritten in place would take a mapping,
	// and with it the process, down.
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("GeoIP database %s cannot be read: %w; correct --geoip", path, err)
	}
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, fmt.Errorf("GeoIP database %s is not in MaxMind format: %w; replace the file or correct --geoip", path, err)
	}
	return &database{path: path, reader: reader, modified: info.ModTime(), size: info.Size()}, nil
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
