package links

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"tributary/attribution"
)

// A snapshot is an index on disk, so that a tracker redirects seconds after it
// starts, whether or not the catalog can be reached. It is a file of blocks:
//
//	magic and version
//	'H'  the header, in JSON
//	'L'  records of links, at most maxChunkBytes of them, as they are in the arena
//	'N' 'A' 'C' 'T'  labels, advertisers, campaigns, targetings, in JSON,
//	     in the order of the slots that records refer to them by
//	'E'  the end: the number of links
//
// A block is its kind, the length and the CRC-32C (of kind and payload) in
// little endian, and the payload. A snapshot is written while changes go on: it
// holds everything as of its change number, and some of what came later, which
// the feed brings again.
const (
	snapshotName    = "links.snapshot"
	snapshotMagic   = "TRBLINKS"
	snapshotVersion = 2

	blockHeaderBytes = 1 + 4 + 4
	maxBlockBytes    = 64 << 20 // more is damage

	blockHeader      = 'H'
	blockLinks       = 'L'
	blockLabels      = 'N'
	blockAdvertisers = 'A'
	blockCampaigns   = 'C'
	blockTargetings  = 'T'
	blockEnd         = 'E'
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// errNotNow says that no snapshot can be written at the moment: all links are
// being read again, or the tables were replaced while it was being written.
var errNotNow = errors.New("the index changes too much to write its snapshot now")

type snapshotHeader struct {
	Catalog string `json:"catalog"` // whose links these are
	Change  int64  `json:"change"`
	Newest  int64  `json:"newest"`            // the highest number seen on a change itself
	Links   int    `json:"links"`             // about as many
	Partial bool   `json:"partial,omitempty"` // the index has MaxLinks
}

// A slotRecord is what stands in a slot of the snapshot's last blocks. A
// campaign or an advertiser that has not arrived has an id only, an unused slot
// is empty.
type slotRecord struct {
	Label      *label                       `json:"label,omitempty"`
	ID         string                       `json:"id,omitempty"`
	Advertiser *attribution.AdvertiserRoute `json:"advertiser,omitempty"`
	Campaign   *attribution.CampaignRoute   `json:"campaign,omitempty"`
	Number     uint64                       `json:"number,omitempty"` // a targeting's id
	Targeting  json.RawMessage              `json:"targeting,omitempty"`
}

// writeSnapshot writes the index to dir in place of an earlier snapshot, and
// returns the change number it holds. The index's writer waits for moments only.
func (x *Index) writeSnapshot(ctx context.Context, dir, catalog string) (change int64, err error) {
	path := filepath.Join(dir, snapshotName)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	w := newBlockWriter(ctx, f, f.Sync)
	change, err = x.encodeSnapshot(w, catalog)
	err = errors.Join(err, w.finish(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(f.Name()))
	}
	return change, syncDir(dir)
}

func (x *Index) encodeSnapshot(w *blockWriter, catalog string) (change int64, err error) {
	x.mu.Lock()
	if x.store.reload != nil {
		x.mu.Unlock()
		return 0, errNotNow
	}
	header := snapshotHeader{
		Catalog: catalog,
		Change:  x.change.Load(),
		Newest:  x.store.newest,
		Links:   x.store.numbers.live,
		Partial: x.max > 0,
	}
	v := x.current.Load()
	targets := &x.store.targets
	targets.pin()
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		targets.unpin()
		x.mu.Unlock()
	}()

	w.json(blockHeader, header)
	links, err := x.encodeLinks(w, v)
	if err != nil {
		return 0, err
	}
	x.mu.Lock()
	v, keys := x.current.Load(), slices.Clone(targets.keys)
	x.mu.Unlock()
	w.slots(v, keys)
	w.block(blockEnd, binary.LittleEndian.AppendUint64(nil, links))
	return header.Change, nil
}

// encodeLinks writes the record in every slot of a view's table. Slots written
// since name records beyond the view, which a newer view of the same table has.
func (x *Index) encodeLinks(w *blockWriter, v *view) (links uint64, err error) {
	block := make([]byte, 0, maxChunkBytes)
	for i := range v.slugs.slots {
		slot := &v.slugs.slots[i]
		word := slot.Load()
		for word&valueMask >= firstValue && bodyAt(v.chunks, word&valueMask-firstValue) == nil {
			newer := x.current.Load()
			if newer.slugs != v.slugs {
				return 0, errNotNow
			}
			v, word = newer, slot.Load()
		}
		if word&valueMask < firstValue {
			continue
		}
		body := bodyAt(v.chunks, word&valueMask-firstValue)
		if len(block)+binary.MaxVarintLen32+len(body) > maxChunkBytes {
			w.block(blockLinks, block)
			if w.err != nil {
				return 0, w.err
			}
			block = block[:0]
		}
		block = binary.AppendUvarint(block, uint64(len(body)))
		block = append(block, body...)
		links++
	}
	w.block(blockLinks, block)
	runtime.KeepAlive(v)
	return links, nil
}

// slots writes what records refer to by slot.
func (w *blockWriter) slots(v *view, targetingKeys []string) {
	writeSlots(w, blockLabels, v.labels, func(_ int, slot labelSlot) slotRecord {
		return slotRecord{Label: &slot.label}
	})
	writeSlots(w, blockAdvertisers, v.advertisers, func(_ int, slot *advertiserSlot) slotRecord {
		return slotRecord{ID: slot.id, Advertiser: slot.current.Load().route()}
	})
	writeSlots(w, blockCampaigns, v.campaigns, func(_ int, slot *campaignSlot) slotRecord {
		return slotRecord{ID: slot.id, Campaign: slot.current.Load().route()}
	})
	writeSlots(w, blockTargetings, targetingKeys, func(i int, key string) slotRecord {
		if key == "" {
			return slotRecord{}
		}
		return slotRecord{Number: v.targetings[i].Load().id, Targeting: json.RawMessage(key)}
	})
}

// writeSlots writes a record for each slot, in blocks of about maxChunkBytes.
func writeSlots[T any](w *blockWriter, kind byte, slots []T, record func(i int, slot T) slotRecord) {
	var block []byte
	for i, slot := range slots {
		encoded, err := json.Marshal(record(i, slot))
		if err != nil {
			w.fail(err)
			return
		}
		block = append(append(block, encoded...), '\n')
		if len(block) >= maxChunkBytes {
			w.block(kind, block)
			block = block[:0]
		}
	}
	w.block(kind, block)
}

func (c *Campaign) route() *attribution.CampaignRoute {
	if c == nil {
		return nil
	}
	return &attribution.CampaignRoute{
		ID:                  c.ID,
		AdvertiserID:        c.AdvertiserID,
		State:               c.State,
		Destination:         string(c.Destination),
		InactiveDestination: string(c.InactiveDestination),
	}
}

func (a *Advertiser) route() *attribution.AdvertiserRoute {
	if a == nil {
		return nil
	}
	return &attribution.AdvertiserRoute{ID: a.ID, Domains: a.Domains, ClickParam: a.ClickParam, PublicKey: a.PublicKey}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
