package spool

// diskLock is a lock that is held while the disk works. It is a channel, not a sync.Mutex: who waits for it counts as
// blocked in testing/synctest, so that the simulated clock goes on and the disk gets done.
type diskLock chan struct{}

func newDiskLock() diskLock { return make(diskLock, 1) }

func (l diskLock) Lock()   { l <- struct{}{} }
func (l diskLock) Unlock() { <-l }
