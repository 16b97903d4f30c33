package agent

import (
	"hash/maphash"
	"strings"
	"sync"
)

// cacheShards spread the locks; a power of two.
const cacheShards = 16

// A Cache remembers descriptions. It holds at most the number of strings it was
// made for; which ones go first follows use: those not asked for since about
// half that many new ones came. Safe for concurrent use.
type Cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

// cacheShard keeps two generations: what is asked for moves to the young one,
// and when that is full it becomes the old one, and the old one is forgotten.
type cacheShard struct {
	mu         sync.Mutex
	young, old map[string]*Agent
	limit      int // of each generation
}

// NewCache makes a cache for the given number of user agent strings.
func NewCache(entries int) *Cache {
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].limit = max(1, entries/cacheShards/2)
		c.shards[i].young = map[string]*Agent{}
	}
	return c
}

// Describe is the package's Describe, remembered. The caller must not change
// the Agent, and may change userAgent afterwards.
func (c *Cache) Describe(userAgent []byte) *Agent {
	if len(userAgent) > maxUserAgentBytes {
		userAgent = userAgent[:maxUserAgentBytes]
	}
	s := &c.shards[maphash.Bytes(c.seed, userAgent)%cacheShards]
	s.mu.Lock()
	a := s.find(userAgent)
	s.mu.Unlock()
	if a != nil {
		return a
	}
	key := string(userAgent)
	described := Describe(key)
	described.BrowserVersion = strings.Clone(described.BrowserVersion) // a part of it would keep all of key
	described.OSVersion = strings.Clone(described.OSVersion)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(key, &described)
	return &described
}

func (s *cacheShard) find(userAgent []byte) *Agent {
	if a := s.young[string(userAgent)]; a != nil {
		return a
	}
	a := s.old[string(userAgent)]
	if a != nil {
		s.keep(string(userAgent), a)
	}
	return a
}

func (s *cacheShard) keep(key string, a *Agent) {
	if len(s.young) >= s.limit {
		s.old = s.young
		s.young = make(map[string]*Agent, s.limit)
	}
	s.young[key] = a
}
