package spool

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sectorBytes = 512

// simDisk is a file system in memory that knows what a power cut would leave. Beside what a process sees (seen) it
// keeps what is on the platter (kept). Between two syncs the platter may get any part of the difference, in any order:
//
//   - of a file's sectors, also half of one, whether they were written or stored into a mapping;
//   - of a file's size; what a longer file holds without having been given it is zeros, or whatever lay there;
//   - of a directory's creations, renames (whole ones) and removals.
//
// It is not safe for concurrent use; simMachine sees to that.
type simDisk struct {
	root *simNode
	junk []byte // what lies in blocks that were somebody else's
}

// simNode is a file or, with entries, a directory.
type simNode struct {
	kept, seen []byte
	reserved   int          // Allocate reached so far: never junk
	dropped    map[int]bool // sectors whose last change a failed fsync threw away: the kernel holds them for clean
	rewritten  map[int]bool // sectors written to since the fsync under way began
	syncs      int          // under way
	mapped     bool

	keptNames, seenNames map[string]*simNode
	changes              []simChange // from keptNames to seenNames
}

// simChange is one change of a directory: node is entered as to and struck off as from, where they are not empty.
type simChange struct {
	node     *simNode
	from, to string
}

func (c simChange) apply(names map[string]*simNode) {
	if c.from != "" && names[c.from] == c.node {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

func newSimDisk() *simDisk { return &simDisk{root: newSimDirectory()} }

func newSimDirectory() *simNode {
	return &simNode{keptNames: map[string]*simNode{}, seenNames: map[string]*simNode{}}
}

func (n *simNode) change(c simChange) {
	c.apply(n.seenNames)
	n.changes = append(n.changes, c)
}

// settle makes the first so many changes of a directory durable.
func (n *simNode) settle(first int) {
	for _, c := range n.changes[:first] {
		c.apply(n.keptNames)
	}
	n.changes = slices.Clone(n.changes[first:])
}

func (d *simDisk) find(path string) (*simNode, error) {
	n := d.root
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		if n = n.seenNames[part]; n == nil {
			return nil, &os.PathError{Op: "find", Path: path, Err: os.ErrNotExist}
		}
	}
	return n, nil
}

// parent finds the directory a path lies in.
func (d *simDisk) parent(path string) (dir *simNode, name string, err error) {
	dir, err = d.find(filepath.Dir(path))
	return dir, filepath.Base(path), err
}

func (d *simDisk) makeDirectories(path string) {
	n := d.root
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if n.seenNames[part] == nil {
			n.change(simChange{node: newSimDirectory(), to: part})
		}
		n = n.seenNames[part]
	}
}

func (d *simDisk) remove(path string) error {
	dir, name, err := d.parent(path)
	if err != nil {
		return err
	}
	n := dir.seenNames[name]
	if n == nil {
		return &os.PathError{Op: "remove", Path: path, Err: os.ErrNotExist}
	}
	d.junk = n.seen
	dir.change(simChange{node: n, from: name})
	return nil
}

func (d *simDisk) rename(from, to string) error {
	dir, name, err := d.parent(from)
	if err != nil {
		return err
	}
	n := dir.seenNames[name]
	if n == nil {
		return &os.PathError{Op: "rename", Path: from, Err: os.ErrNotExist}
	}
	dir.change(simChange{node: n, from: name, to: filepath.Base(to)})
	return nil
}

func (n *simNode) resize(size int) {
	if n.mapped && size > len(n.seen) {
		panic("a mapped file grows: its mapping would have to move")
	}
	if size <= len(n.seen) {
		n.seen = n.seen[:size:size]
		n.reserved = min(n.reserved, size)
		return
	}
	n.seen = append(n.seen, make([]byte, size-len(n.seen))...)
}

func (n *simNode) allocate(size int) {
	n.resize(max(size, len(n.seen)))
	n.reserved = max(n.reserved, size)
}

func (n *simNode) write(p []byte, off int) {
	if len(p) == 0 {
		return
	}
	n.resize(max(off+len(p), len(n.seen)))
	copy(n.seen[off:], p)
	for i := off / sectorBytes; i <= (off+len(p)-1)/sectorBytes; i++ {
		delete(n.dropped, i)
		if n.syncs > 0 {
			n.rewritten[i] = true
		}
	}
}

func (n *simNode) read(p []byte, off int) (int, error) {
	if off >= len(n.seen) {
		return 0, io.EOF
	}
	got := copy(p, n.seen[off:])
	if got < len(p) {
		return got, io.EOF
	}
	return got, nil
}

func sector(b []byte, i int) []byte {
	if i*sectorBytes >= len(b) {
		return nil
	}
	return b[i*sectorBytes : min((i+1)*sectorBytes, len(b))]
}

// dirty lists the sectors that an fsync would write.
func (n *simNode) dirty() (sectors []int) {
	for i := range (len(n.seen) + sectorBytes - 1) / sectorBytes {
		if !n.dropped[i] && !bytes.Equal(sector(n.seen, i), sector(n.kept, i)) {
			sectors = append(sectors, i)
		}
	}
	return sectors
}

// keep writes what a sector held to the platter.
func (n *simNode) keep(i int, content []byte) {
	if need := i*sectorBytes + len(content); need > len(n.kept) {
		n.kept = append(n.kept, make([]byte, need-len(n.kept))...)
	}
	copy(n.kept[i*sectorBytes:], content)
}

// simSync is an fsync under way. It is sure only of what was there when it began.
type simSync struct {
	node     *simNode
	size     int
	sectors  []int
	contents [][]byte
}

func (n *simNode) beginSync() *simSync {
	s := &simSync{node: n, size: len(n.seen), sectors: n.dirty()}
	for _, i := range s.sectors {
		s.contents = append(s.contents, bytes.Clone(sector(n.seen, i)))
	}
	if n.syncs++; n.syncs == 1 {
		n.rewritten = map[int]bool{}
	}
	return s
}

func (s *simSync) succeed() {
	s.node.syncs--
	for i, content := range s.contents {
		s.node.keep(s.sectors[i], content)
	}
	if s.size < len(s.node.kept) {
		s.node.kept = s.node.kept[:s.size:s.size]
	} else {
		s.node.kept = append(s.node.kept, make([]byte, s.size-len(s.node.kept))...)
	}
}

// fail writes some of it; the kernel forgets that the rest was ever dirty.
func (s *simSync) fail(random *rand.Rand) {
	s.node.syncs--
	for i, content := range s.contents {
		if random.IntN(2) == 0 {
			s.node.keep(s.sectors[i], content)
		} else if !s.node.rewritten[s.sectors[i]] {
			if s.node.dropped == nil {
				s.node.dropped = map[int]bool{}
			}
			s.node.dropped[s.sectors[i]] = true
		}
	}
}

// writeBack is the kernel writing some dirty sectors of its own accord.
func (d *simDisk) writeBack(random *rand.Rand) {
	for _, n := range d.files() {
		if n.syncs > 0 || random.IntN(2) == 0 {
			continue
		}
		for _, i := range n.dirty() {
			if random.IntN(2) == 0 {
				n.keep(i, sector(n.seen, i))
			}
		}
	}
}

// files lists the files a process can see, in an order that does not depend on the run.
func (d *simDisk) files() (files []*simNode) {
	var walk func(n *simNode)
	walk = func(n *simNode) {
		names := make([]string, 0, len(n.seenNames))
		for name := range n.seenNames {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if child := n.seenNames[name]; child.seenNames != nil {
				walk(child)
			} else {
				files = append(files, child)
			}
		}
	}
	walk(d.root)
	return files
}

// killed is the disk after the process died: all it had done is there, what it does from now on is not.
func (d *simDisk) killed() *simDisk {
	copies := map[*simNode]*simNode{}
	var clone func(n *simNode) *simNode
	names := func(of map[string]*simNode) map[string]*simNode {
		if of == nil {
			return nil
		}
		to := make(map[string]*simNode, len(of))
		for name, n := range of {
			to[name] = clone(n)
		}
		return to
	}
	clone = func(n *simNode) *simNode {
		if c := copies[n]; c != nil {
			return c
		}
		c := &simNode{kept: bytes.Clone(n.kept), seen: bytes.Clone(n.seen), reserved: n.reserved}
		copies[n] = c
		if n.dropped != nil {
			c.dropped = map[int]bool{}
			for i := range n.dropped {
				c.dropped[i] = true
			}
		}
		c.keptNames, c.seenNames = names(n.keptNames), names(n.seenNames)
		for _, change := range n.changes {
			c.changes = append(c.changes, simChange{node: clone(change.node), from: change.from, to: change.to})
		}
		return c
	}
	return &simDisk{root: clone(d.root), junk: bytes.Clone(d.junk)}
}

// cutOff is the disk after a power cut.
func (d *simDisk) cutOff(random *rand.Rand) *simDisk {
	done := map[*simNode]*simNode{}
	var cut func(n *simNode) *simNode
	cut = func(n *simNode) *simNode {
		if c := done[n]; c != nil {
			return c
		}
		if n.keptNames == nil {
			c := n.cutOff(random, d.junk)
			done[n] = c
			return c
		}
		names := map[string]*simNode{}
		for name, child := range n.keptNames {
			names[name] = child
		}
		taste := random.IntN(4)
		for _, change := range n.changes {
			if taste == 0 || taste > 1 && random.IntN(2) == 0 { // all, none, some, some
				change.apply(names)
			}
		}
		c := newSimDirectory()
		done[n] = c
		sorted := make([]string, 0, len(names))
		for name := range names {
			sorted = append(sorted, name)
		}
		slices.Sort(sorted)
		for _, name := range sorted {
			child := cut(names[name])
			c.keptNames[name], c.seenNames[name] = child, child
		}
		return c
	}
	return &simDisk{root: cut(d.root), junk: d.junk}
}

// cutOff is a file after a power cut.
func (n *simNode) cutOff(random *rand.Rand, junk []byte) *simNode {
	size := len(n.kept)
	if d := len(n.seen) - size; d != 0 {
		switch random.IntN(3) {
		case 0:
			size = len(n.seen)
		case 1:
			size += d / max(d, -d) * random.IntN(max(d, -d)+1)
		}
	}
	b := make([]byte, size)
	copied := copy(b, n.kept)
	if copied < size && size > n.reserved && random.IntN(2) == 0 {
		from := max(copied, n.reserved)
		if from < len(junk) {
			copy(b[from:], junk[from:])
		}
	}
	taste := random.IntN(4)
	upTo := random.IntN(len(n.seen)/sectorBytes + 2)
	for _, i := range n.dirty() {
		to, from := sector(b, i), sector(n.seen, i)
		switch {
		case taste == 0: // nothing of it
		case taste == 1 || taste == 2 && i < upTo: // all of it, or a beginning
			copy(to, from)
		case taste == 3:
			switch random.IntN(3) {
			case 0:
				copy(to, from)
			case 1:
				torn := random.IntN(sectorBytes)
				if random.IntN(2) == 0 {
					copy(to, from[:min(torn, len(from))])
				} else if torn < len(to) && torn < len(from) {
					copy(to[torn:], from[torn:])
				}
			}
		}
	}
	return &simNode{kept: b, seen: bytes.Clone(b), reserved: min(n.reserved, size)}
}
