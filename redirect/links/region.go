//go:build unix

package links

import (
	"os"
	"runtime"
	"syscall"
)

// A region is memory outside the Go heap, so that gigabytes of links neither
// cost the collector work nor double with its headroom. It is unmapped when
// nothing refers to the region any more: whoever reads mem must keep the region
// reachable while it does.
type region struct {
	mem []byte
}

// hugePageBytes is the size of the pages asked for where a region has room for
// one. Probes of large tables hit memory all over; with small pages each also
// misses the processor's cache of page addresses, which costs a quarter more.
const hugePageBytes = 2 << 20

// An allocator makes zeroed regions, aligned to 8 bytes.
type allocator func(bytes int) *region

// mapMemory makes a region of anonymous memory; pages not yet written to cost
// nothing. Where the system refuses, the Go heap serves.
func mapMemory(bytes int) *region {
	mem, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return heapMemory(bytes)
	}
	if bytes >= hugePageBytes {
		adviseHugePages(mem)
	}
	return unmapWhenUnused(mem)
}

// mapFile makes a region of a file's bytes at an offset that is a multiple of
// the page size. What is written to it is the file's, even after kill -9.
func mapFile(f *os.File, offset int64, bytes int) (*region, error) {
	mem, err := syscall.Mmap(int(f.Fd()), offset, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return unmapWhenUnused(mem), nil
}

func heapMemory(bytes int) *region {
	return &region{mem: make([]byte, bytes)}
}

func unmapWhenUnused(mem []byte) *region {
	r := &region{mem: mem}
	runtime.AddCleanup(r, func(mem []byte) { _ = syscall.Munmap(mem) }, mem)
	return r
}
