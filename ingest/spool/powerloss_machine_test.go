package spool

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

var errMachineDied = errors.New("the machine died")

// simFlaws are lies a disk may tell. The tests use them to show that the simulation would notice.
type simFlaws struct {
	syncDoesNothing, syncDirDoesNothing, cursorSyncDoesNothing, syncSkipsLastSector bool
}

// simMachine is the fileSystem of one life of the process. Operations that change something wait until the simulation
// lets them go on, one at a time and in an order the seed decides; some go on at once.
type simMachine struct {
	mu      sync.Mutex
	disk    *simDisk
	flaws   simFlaws
	seed    uint64
	faults  uint64 // one in so many operations fails; 0: none
	eager   uint64 // so many operations of 8 do not wait
	dead    bool
	waiting []*simOperation
	counts  map[string]uint64
	arrived chan struct{}
	trace   func(what string)
	failed  bool // an operation was made to fail
}

// simOperation waits for its turn.
type simOperation struct {
	key    string
	since  time.Time
	chance *rand.Rand
	finish func(chance *rand.Rand) error // makes it happen
	abort  func(chance *rand.Rand)       // the machine died in the middle of it
	done   chan error
}

func newSimMachine(disk *simDisk, flaws simFlaws, seed, faults, eager uint64, trace func(string)) *simMachine {
	return &simMachine{disk: disk, flaws: flaws, seed: seed, faults: faults, eager: eager,
		counts: map[string]uint64{}, arrived: make(chan struct{}, 1), trace: trace}
}

// chanceOf is the random source of the nth operation of its kind on its file, so that it is the same whatever else happens meanwhile.
func (m *simMachine) chanceOf(key string) *rand.Rand {
	m.counts[key]++
	return rand.New(rand.NewPCG(hashOf(m.seed, key), m.counts[key]))
}

// hashOf is FNV-1a, from a hash on.
func hashOf(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// perform has an operation wait for its turn. begin is called at once, under the lock.
func (m *simMachine) perform(kind, path string, begin func() (finish func(*rand.Rand) error, abort func(*rand.Rand))) error {
	key := kind + " " + filepath.Base(path)
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return errMachineDied
	}
	chance := m.chanceOf(key)
	finish, abort := begin()
	op := &simOperation{key: key, since: time.Now(), chance: chance, finish: finish, abort: abort}
	if chance.Uint64N(8) < m.eager || strings.Contains(path, damagedDir) {
		defer m.mu.Unlock()
		return m.complete(op)
	}
	op.done = make(chan error, 1)
	m.waiting = append(m.waiting, op)
	m.mu.Unlock()
	select {
	case m.arrived <- struct{}{}:
	default:
	}
	return <-op.done
}

func (m *simMachine) complete(op *simOperation) error {
	err := op.finish(op.chance)
	if err != nil {
		m.trace(fmt.Sprint(op.key, ": ", err))
	} else {
		m.trace(op.key)
	}
	return err
}

// fault decides whether an operation fails.
func (m *simMachine) fault(chance *rand.Rand) bool {
	if m.faults == 0 || chance.Uint64N(m.faults) != 0 {
		return false
	}
	m.failed = true
	return true
}

// next lets one of the waiting operations go on; false: there was none.
func (m *simMachine) next(random *rand.Rand) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		return false
	}
	slices.SortStableFunc(m.waiting, func(a, b *simOperation) int { return strings.Compare(a.key, b.key) })
	i := random.IntN(len(m.waiting))
	op := m.waiting[i]
	m.waiting = slices.Delete(m.waiting, i, i+1)
	op.done <- m.complete(op)
	return true
}

// oldest is when the operation that waits longest began to.
func (m *simMachine) oldest() (since time.Time, any bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, op := range m.waiting {
		if !any || op.since.Before(since) {
			since, any = op.since, true
		}
	}
	return since, any
}

// die ends the life: operations under way happen, in part or not at all; what the process does from now on changes nothing.
func (m *simMachine) die(random *rand.Rand, power bool) *simDisk {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, op := range m.waiting {
		switch random.IntN(3) {
		case 0:
			_ = op.finish(op.chance)
		case 1:
			if op.abort != nil {
				op.abort(op.chance)
			}
		}
	}
	m.dead = true
	var next *simDisk
	if power {
		next = m.disk.cutOff(random)
	} else {
		next = m.disk.killed()
	}
	for _, op := range m.waiting {
		op.done <- errMachineDied
	}
	m.waiting = nil
	return next
}

func (m *simMachine) writeBack(random *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disk.writeBack(random)
}

// change performs an operation that happens all at once.
func (m *simMachine) change(kind, path string, f func() error) error {
	return m.perform(kind, path, func() (func(*rand.Rand) error, func(*rand.Rand)) {
		return func(*rand.Rand) error { return f() }, nil
	})
}

func (m *simMachine) MkdirAll(dir string) error {
	return m.change("mkdir", dir, func() error { m.disk.makeDirectories(dir); return nil })
}

func (m *simMachine) ReadDir(dir string) (names []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errMachineDied
	}
	n, err := m.disk.find(dir)
	if err != nil {
		return nil, err
	}
	for name, child := range n.seenNames {
		if child.seenNames == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *simMachine) Open(path string, create bool) (file, error) {
	m.mu.Lock()
	n, err := m.disk.find(path)
	dead := m.dead
	m.mu.Unlock()
	switch {
	case dead:
		return nil, errMachineDied
	case err == nil:
		return &simFile{m: m, n: n, path: path}, nil
	case !create:
		return nil, err
	}
	n = &simNode{}
	err = m.change("create", path, func() error {
		dir, name, err := m.disk.parent(path)
		if err == nil {
			dir.change(simChange{node: n, to: name})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &simFile{m: m, n: n, path: path}, nil
}

func (m *simMachine) Rename(from, to string) error {
	return m.change("rename to", to, func() error { return m.disk.rename(from, to) })
}

func (m *simMachine) Remove(path string) error {
	return m.change("remove", path, func() error { return m.disk.remove(path) })
}

func (m *simMachine) Space(string) (free, size uint64, err error) { return 1 << 40, 1 << 40, nil }

func (m *simMachine) SyncDir(dir string) error {
	return m.perform("syncdir", dir, func() (func(*rand.Rand) error, func(*rand.Rand)) {
		n, err := m.disk.find(dir)
		if err != nil {
			return func(*rand.Rand) error { return err }, nil
		}
		sure := len(n.changes)
		return func(chance *rand.Rand) error {
			if m.fault(chance) {
				return unix.EIO
			}
			if !m.flaws.syncDirDoesNothing {
				n.settle(min(sure, len(n.changes)))
			}
			return nil
		}, nil
	})
}

func (m *simMachine) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }
func (m *simMachine) Close() error                   { return nil }

type simFile struct {
	m    *simMachine
	n    *simNode
	path string
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.m.dead {
		return 0, errMachineDied
	}
	return f.n.read(p, int(off))
}

func (f *simFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.m.perform("write", f.path, func() (func(*rand.Rand) error, func(*rand.Rand)) {
		return func(chance *rand.Rand) error {
				n = len(p)
				var err error
				if f.m.fault(chance) {
					n, err = chance.IntN(len(p)+1), []error{unix.EIO, unix.ENOSPC}[chance.IntN(2)]
				}
				f.n.write(p[:n], int(off))
				return err
			}, func(chance *rand.Rand) {
				f.n.write(p[:chance.IntN(len(p)+1)], int(off))
			}
	})
	return n, err
}

func (f *simFile) Sync() error {
	return f.m.perform("sync", f.path, func() (func(*rand.Rand) error, func(*rand.Rand)) {
		s := f.n.beginSync()
		return func(chance *rand.Rand) error {
			flaws := f.m.flaws
			switch {
			case f.m.fault(chance):
				s.fail(chance)
				return unix.EIO
			case flaws.syncDoesNothing, flaws.cursorSyncDoesNothing && filepath.Base(f.path) == cursorName:
				f.n.syncs--
			case flaws.syncSkipsLastSector && len(s.sectors) > 1:
				last := len(s.sectors) - 1
				s.sectors, s.contents = s.sectors[:last], s.contents[:last]
				s.succeed()
			default:
				s.succeed()
			}
			return nil
		}, s.fail
	})
}

func (f *simFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.n.seen)), nil
}

func (f *simFile) Truncate(size int64) error {
	return f.m.change("truncate", f.path, func() error { f.n.resize(int(size)); return nil })
}

func (f *simFile) Allocate(size int64) error {
	return f.m.perform("allocate", f.path, func() (func(*rand.Rand) error, func(*rand.Rand)) {
		return func(chance *rand.Rand) error {
			if f.m.fault(chance) {
				return unix.ENOSPC
			}
			f.n.allocate(int(size))
			return nil
		}, nil
	})
}

func (f *simFile) Map(size int) (mapping, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.mapped = true
	return memory(f.n.seen[:size:size]), nil
}

func (f *simFile) Close() error { return nil }
