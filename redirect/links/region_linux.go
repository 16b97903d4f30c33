package links

import "syscall"

// adviseHugePages asks for huge pages. It is advice: where it is refused, small
// pages serve.
func adviseHugePages(mem []byte) {
	_ = syscall.Madvise(mem, syscall.MADV_HUGEPAGE)
}
