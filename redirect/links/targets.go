package links

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"tributary/attribution"
)

// targets keeps each different targeting once, however many links have it, in
// a slot that their records refer to. A slot is given away when no record refers
// to it; the targeting's id, which is never used again, tells a reader with an
// old record that it was.
type targets struct {
	view   *view // whose targetings these are
	keys   []string
	refs   []int
	byKey  map[string]uint64
	free   []uint64
	lastID uint64

	pins int      // snapshots being written: they need the slots as they are
	idle []uint64 // slots nothing refers to, kept because of pins
}

// A targetingSource is what a targeting is compiled from, and in JSON its key.
type targetingSource struct {
	Rules []attribution.DestinationRule `json:"rules,omitempty"`
	Split []attribution.SplitArm        `json:"split,omitempty"`
}

func newTargets(v *view) targets {
	return targets{view: v, byKey: map[string]uint64{}}
}

// intern returns the slot and id of a targeting and counts a reference to it. A
// link without rules and split has id 0.
func (t *targets) intern(rules []attribution.DestinationRule, split []attribution.SplitArm) (slot, id uint64) {
	if len(rules) == 0 && len(split) == 0 {
		return 0, 0
	}
	encoded, err := json.Marshal(targetingSource{rules, split})
	if err != nil {
		panic(fmt.Sprintf("links: strings and numbers do not encode: %v", err))
	}
	slot, known := t.byKey[string(encoded)]
	if !known {
		slot = t.newSlot()
		t.lastID++
		t.set(slot, t.lastID, string(encoded), CompileTargeting(rules, split))
	}
	t.refs[slot]++
	return slot, t.view.targetings[slot].Load().id
}

func (t *targets) newSlot() uint64 {
	if last := len(t.free) - 1; last >= 0 {
		slot := t.free[last]
		t.free = t.free[:last]
		return slot
	}
	t.grow(len(t.refs) + 1)
	return uint64(len(t.refs) - 1)
}

// grow makes slots up to n.
func (t *targets) grow(n int) {
	for len(t.refs) < n {
		t.view.targetings = append(t.view.targetings, new(atomic.Pointer[Targeting]))
		t.keys = append(t.keys, "")
		t.refs = append(t.refs, 0)
	}
}

func (t *targets) set(slot, id uint64, key string, targeting *Targeting) {
	targeting.id = id
	t.keys[slot] = key
	t.byKey[key] = slot
	t.view.targetings[slot].Store(targeting)
}

// release takes back a reference.
func (t *targets) release(slot, id uint64) {
	if id == 0 {
		return
	}
	t.refs[slot]--
	if t.refs[slot] > 0 {
		return
	}
	if t.pins > 0 {
		t.idle = append(t.idle, slot)
		return
	}
	t.drop(slot)
}

func (t *targets) drop(slot uint64) {
	delete(t.byKey, t.keys[slot])
	t.keys[slot] = ""
	t.view.targetings[slot].Store(nil)
	t.free = append(t.free, slot)
}

// pin keeps every slot as it is until unpin.
func (t *targets) pin() { t.pins++ }

func (t *targets) unpin() {
	t.pins--
	if t.pins > 0 {
		return
	}
	for _, slot := range t.idle {
		if t.refs[slot] == 0 && t.view.targetings[slot].Load() != nil {
			t.drop(slot)
		}
	}
	t.idle = nil
}

// settle ends the pin of a store that was read from a snapshot: what nothing
// refers to is given away.
func (t *targets) settle() {
	t.pins, t.idle = 0, nil
	for slot, refs := range t.refs {
		current := t.view.targetings[slot].Load()
		if current != nil {
			t.lastID = max(t.lastID, current.id)
		}
		switch {
		case refs > 0:
		case current != nil:
			t.drop(uint64(slot))
		default:
			t.free = append(t.free, uint64(slot))
		}
	}
}
