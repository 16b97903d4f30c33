package links

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tributary/attribution"
)

// errSnapshot says that a file is no snapshot this index can use.
var errSnapshot = errors.New("unusable snapshot")

// loadSnapshot replaces what is in the index by the snapshot in dir. When it
// cannot be used, for which the error is os.ErrNotExist or errSnapshot, the
// index is left as it is.
func (x *Index) loadSnapshot(dir, catalog string) error {
	f, err := os.Open(filepath.Join(dir, snapshotName))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return x.readSnapshot(f, catalog)
}

func (x *Index) readSnapshot(from io.Reader, catalog string) error {
	blocks, err := openBlocks(from)
	if err != nil {
		return err
	}
	l := &loader{x: x, catalog: catalog, targetingIDs: map[uint64]uint64{}}
	for !l.done {
		kind, payload, err := blocks.next(l.room)
		if err != nil {
			return err
		}
		if err := l.block(kind, payload); err != nil {
			return fmt.Errorf("%w: %w", errSnapshot, err)
		}
	}
	if err := errors.Join(l.finish(), blocks.end()); err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.change.Store(l.header.Change)
	x.partial = l.header.Partial && x.max == 0
	x.adopt(l.store)
	return nil
}

// A loader builds a store from a snapshot's blocks.
type loader struct {
	x       *Index
	catalog string
	header  snapshotHeader
	store   *store
	chunk   *chunk // of the block being read, when it is of links
	done    bool

	links        uint64
	slots        references        // the highest slots that records refer to, plus one
	targetingIDs map[uint64]uint64 // targeting slot → id, as records say
	targetings   uint64            // slots read
}

// maxSlots is more campaigns or targetings than memory could hold.
const maxSlots = 1 << 32

func (l *loader) room(kind byte, bytes int) []byte {
	if kind != blockLinks {
		return make([]byte, bytes)
	}
	l.chunk = &chunk{memory: l.x.memory(bytes), used: bytes}
	return l.chunk.memory.mem
}

func (l *loader) block(kind byte, payload []byte) error {
	if l.store == nil && kind != blockHeader {
		return errors.New("no header")
	}
	switch kind {
	case blockHeader:
		return l.begin(payload)
	case blockLinks:
		return l.addLinks(payload)
	case blockLabels, blockAdvertisers, blockCampaigns, blockTargetings:
		return l.addSlots(kind, payload)
	case blockEnd:
		l.done = true
		if len(payload) != 8 || binary.LittleEndian.Uint64(payload) != l.links {
			return errors.New("links are missing")
		}
		return nil
	}
	return fmt.Errorf("block of kind %q", kind)
}

func (l *loader) begin(payload []byte) error {
	if err := json.Unmarshal(payload, &l.header); err != nil {
		return err
	}
	if l.header.Catalog != l.catalog {
		return fmt.Errorf("it is of catalog %q, not of %q", l.header.Catalog, l.catalog)
	}
	l.store = l.x.newStore(max(0, min(l.header.Links, maxValue/4)))
	l.store.newest = l.header.Newest
	l.store.targets.pin()
	return nil
}

// addLinks takes over a chunk of records.
func (l *loader) addLinks(payload []byte) error {
	s := l.store
	i := s.arena.add(l.chunk)
	s.publish()
	for offset := 0; offset < len(payload); {
		size, n := binary.Uvarint(payload[offset:])
		if n <= 0 || size > uint64(len(payload)-offset-n) {
			return errors.New("a link's record is cut off")
		}
		var f fields
		if !f.parse(payload[offset+n:offset+n+int(size)]) || !validSlug(f.slug) || !attribution.ValidLinkPart(f.linkPart) {
			return errors.New("a link's record cannot be read")
		}
		if err := l.note(f.refs); err != nil {
			return err
		}
		s.reserve()
		s.put(placeOf(i, offset))
		l.links++
		offset += n + int(size)
	}
	return nil
}

// note remembers what a record refers to, until the slots have been read.
func (l *loader) note(refs references) error {
	l.slots.campaign = max(l.slots.campaign, refs.campaign+1)
	l.slots.advertiser = max(l.slots.advertiser, refs.advertiser+1)
	l.slots.label = max(l.slots.label, refs.label+1)
	if refs.targetingID == 0 {
		return nil
	}
	if id, noted := l.targetingIDs[refs.targeting]; noted && id != refs.targetingID || refs.targeting >= maxSlots {
		return errors.New("links disagree on a targeting")
	}
	l.targetingIDs[refs.targeting] = refs.targetingID
	l.store.targets.grow(int(refs.targeting) + 1)
	l.store.targets.refs[refs.targeting]++
	return nil
}

func (l *loader) addSlots(kind byte, payload []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	for decoder.More() {
		var r slotRecord
		if err := decoder.Decode(&r); err != nil {
			return err
		}
		if err := l.addSlot(kind, &r); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) addSlot(kind byte, r *slotRecord) error {
	s := l.store
	switch kind {
	case blockLabels:
		if r.Label == nil {
			return errors.New("an empty label")
		}
		s.labelSlot(*r.Label)
	case blockAdvertisers:
		s.advertiserSlot(r.ID)
		if r.Advertiser != nil {
			s.applyAdvertiser(r.Advertiser)
		}
	case blockCampaigns:
		s.campaignSlot(r.ID)
		if r.Campaign != nil {
			s.applyCampaign(r.Campaign)
		}
	case blockTargetings:
		slot := l.targetings
		l.targetings++
		s.targets.grow(int(l.targetings))
		if r.Number == 0 {
			return nil
		}
		var source targetingSource
		if err := json.Unmarshal(r.Targeting, &source); err != nil {
			return err
		}
		targeting := CompileTargeting(source.Rules, source.Split)
		if targeting == nil {
			return errors.New("an empty targeting")
		}
		s.targets.set(slot, r.Number, string(r.Targeting), targeting)
	}
	return nil
}

// finish checks that everything records refer to is there.
func (l *loader) finish() error {
	s := l.store
	if l.slots.campaign > uint64(len(s.campaigns)) || l.slots.advertiser > uint64(len(s.advertisers)) ||
		l.slots.label > uint64(len(s.labels)) {
		return errors.New("links refer to campaigns, advertisers or labels that are missing")
	}
	for slot, id := range l.targetingIDs {
		if t := s.targetings[slot].Load(); t == nil || t.id != id {
			return errors.New("links refer to targetings that are missing")
		}
	}
	s.targets.settle()
	s.makeRoom(0)
	s.tidy()
	return nil
}
