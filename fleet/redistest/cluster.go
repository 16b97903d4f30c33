package redistest

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

// A Cluster is a Redis Cluster of three masters.
type Cluster struct {
	Masters  []*Server
	Replicas []*Server // one of each master, where asked for

	t testing.TB
}

const (
	masters     = 3
	slots       = 16384
	nodeTimeout = "2000" // milliseconds until a node that is silent has failed
)

// StartCluster starts a Cluster, with a replica of each master where replicated.
func StartCluster(t testing.TB, replicated bool) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range masters {
		c.Masters = append(c.Masters, startNode(t))
	}
	if replicated {
		for range masters {
			c.Replicas = append(c.Replicas, startNode(t))
		}
	}
	for i, s := range c.all() {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i < masters {
			s.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
		}
	}
	host, port, _ := net.SplitHostPort(c.Masters[0].Address)
	for _, s := range c.all()[1:] {
		s.Do("CLUSTER", "MEET", host, port, busPort(c.Masters[0]))
	}
	known := "cluster_known_nodes:" + strconv.Itoa(len(c.all()))
	Eventually(t, "the nodes of the Cluster know each other", func() bool { return c.everyNode(known, "cluster_state:ok") })
	for i, replica := range c.Replicas {
		replica.Do("CLUSTER", "REPLICATE", c.Masters[i].Do("CLUSTER", "MYID"))
	}
	for _, replica := range c.Replicas {
		Eventually(t, "the replica is linked", func() bool {
			return strings.Contains(replica.Do("INFO", "replication"), "master_link_status:up")
		})
	}
	return c
}

func startNode(t testing.TB) *Server {
	return Start(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(freePort(t)), "--cluster-node-timeout", nodeTimeout,
		"--cluster-announce-ip", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--databases", "1")
}

func busPort(s *Server) string {
	for i, option := range s.options {
		if option == "--cluster-port" {
			return s.options[i+1]
		}
	}
	return ""
}

func (c *Cluster) all() []*Server {
	return append(c.Masters[:len(c.Masters):len(c.Masters)], c.Replicas...)
}

// everyNode reports whether every node's CLUSTER INFO has all these lines.
func (c *Cluster) everyNode(lines ...string) bool {
	for _, s := range c.all() {
		info := s.Do("CLUSTER", "INFO")
		for _, line := range lines {
			if !strings.Contains(info, line) {
				return false
			}
		}
	}
	return true
}

// URLs are the masters' addresses as a client takes them.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, s := range c.Masters {
		urls = append(urls, s.URL())
	}
	return urls
}

// MasterOf returns the master that has a key.
func (c *Cluster) MasterOf(key string) int {
	slot, err := strconv.Atoi(c.Masters[0].Do("CLUSTER", "KEYSLOT", key))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range masters {
		if slot < (i+1)*slots/masters {
			return i
		}
	}
	return -1
}

// FailOver kills a master and waits until its replica has taken its place.
func (c *Cluster) FailOver(master int) {
	c.t.Helper()
	c.Masters[master].Kill()
	replica := c.Replicas[master]
	Eventually(c.t, "the replica takes over", func() bool {
		return strings.Contains(replica.Do("INFO", "replication"), "role:master") &&
			strings.Contains(replica.Do("CLUSTER", "INFO"), "cluster_state:ok")
	})
}
