package catalog

import "sync"

// followers are told that the feed has grown. Notices coalesce: a follower that
// is busy finds one waiting, however many changes there were.
type followers struct {
	mu  sync.Mutex
	all []chan struct{}
}

func (f *followers) add() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	follower := make(chan struct{}, 1)
	f.all = append(f.all, follower)
	return follower
}

func (f *followers) notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, follower := range f.all {
		select {
		case follower <- struct{}{}:
		default:
		}
	}
}

// Changed registers a follower for the life of the catalog: the channel holds a
// notice whenever RoutesSince has something new since the last one was taken.
// Call it once per follower and keep the channel. Writes of other processes are
// not noticed; a follower of those asks from time to time.
func (c *Catalog) Changed() <-chan struct{} { return c.followers.add() }

// Announce tells followers that another room changed what the feed tells of,
// such as whether a campaign is over budget. It is called after the commit.
func (c *Catalog) Announce() { c.followers.notify() }
