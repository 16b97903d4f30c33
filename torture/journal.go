package main

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
)

// A journal is what the sender of numbered events was answered. It holds eight
// bytes for each event, however many there are.
type journal struct {
	mu       sync.Mutex
	answered []uint64     // by number: the digest of the answer; 0: none
	late     map[int]bool // acknowledged so late that the tracker may have given up on the record
	acks     int
}

func newJournal() *journal { return &journal{late: map[int]bool{}} }

// send gives the next event its number, before any byte of it is on its way.
func (j *journal) send() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answered = append(j.answered, 0)
	return len(j.answered) - 1
}

// acknowledge notes a complete answer. The same event may be sent again and
// acknowledged again, with the same answer.
func (j *journal) acknowledge(n int, answer string, late bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.answered[n] == 0 {
		j.acks++
	}
	j.answered[n] = digest(answer)
	if late {
		j.late[n] = true
	}
}

// counts are the events sent and those acknowledged.
func (j *journal) counts() (sent, acknowledged int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.answered), j.acks
}

// asOfNow is a journal of its own that begins as this one is.
func (j *journal) asOfNow() *journal {
	j.mu.Lock()
	defer j.mu.Unlock()
	return &journal{answered: slices.Clone(j.answered), late: maps.Clone(j.late), acks: j.acks}
}

// admit knows from now on of what was sent by another journal since: it may be found,
// and need not be.
func (j *journal) admit(since *journal) {
	sent, _ := since.counts()
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.answered) < sent {
		j.answered = append(j.answered, 0)
	}
}

// digest is never 0.
func digest(answer string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(answer)) // a hash takes everything
	return max(1, h.Sum64())
}

// A comparison holds what is found in one place against a journal.
type comparison struct {
	journal *journal
	what    string // is compared: "clicks in ClickHouse"
	seen    []bool

	found    int // rows
	doubled  int
	invented int
	examples []string // some of what is wrong
}

func (j *journal) compare(what string) *comparison {
	sent, _ := j.counts()
	return &comparison{journal: j, what: what, seen: make([]bool, sent)}
}

// row is something found: an event's number, and the answer it stands for.
func (c *comparison) row(n int, answer string) {
	c.found++
	switch {
	case n < 0 || n >= len(c.seen):
		c.invented++
		c.example("number %d was never sent", n)
	case c.seen[n]:
		c.doubled++
		c.example("number %d is there twice", n)
	case c.journal.answered[n] != 0 && c.journal.answered[n] != digest(answer):
		c.invented++
		c.example("number %d is there as %s, which is not what was answered", n, answer)
	default:
		c.seen[n] = true
	}
}

// foreign are rows without a number.
func (c *comparison) foreign(rows int) {
	if rows > 0 {
		c.found += rows
		c.invented += rows
		c.example("%d rows have no number", rows)
	}
}

// lost counts what was acknowledged and not found, and how much of it was
// acknowledged late. It is called once everything was found.
func (c *comparison) lost() (lost, late int) {
	for n, answer := range c.journal.answered {
		if answer == 0 || n < len(c.seen) && c.seen[n] {
			continue
		}
		lost++
		if c.journal.late[n] {
			late++
		} else {
			c.example("number %d was acknowledged and is not there", n)
		}
	}
	return lost, late
}

func (c *comparison) example(format string, args ...any) {
	const most = 5
	if len(c.examples) < most {
		c.examples = append(c.examples, c.what+": "+fmt.Sprintf(format, args...))
	}
}
