package intake

import (
	"tributary/attribution"
	"tributary/redirect/intake/fields"
)

// A batch is the reports of one request on their way to the disk, and what is to
// be said of each. Its memory is used again for the next request.
type batch struct {
	shard   uint32
	arena   []byte
	ends    []int // of records in the arena
	records [][]byte
	results []result
}

// A result is what is said of one report.
type result struct {
	orderID   string
	receiptID string
	rejected  *attribution.Rejection
	settled   *Settled
}

// maxKeptArena is how much memory a batch keeps for the next request.
const maxKeptArena = 1 << 20

func (x *Intake) newBatch() *batch { return x.batches.Get().(*batch) }

func (x *Intake) release(b *batch) {
	clear(b.results)
	clear(b.records)
	b.ends, b.records, b.results = b.ends[:0], b.records[:0], b.results[:0]
	if b.arena = b.arena[:0]; cap(b.arena) <= maxKeptArena {
		x.batches.Put(b)
	}
}

// add takes an item into the batch.
func (b *batch) add(item *fields.Item) error {
	r := result{orderID: item.OrderID, rejected: item.Rejected}
	if item.Report != nil {
		r.receiptID = item.Report.ReceiptID
		if err := b.addRecord(item.Report); err != nil {
			return err
		}
	}
	b.results = append(b.results, r)
	return nil
}

// addRecord encodes a report. One that became too long by encoding goes without
// the raw text it was kept with.
func (b *batch) addRecord(report *attribution.Report) error {
	start := len(b.arena)
	var err error
	if b.arena, err = attribution.AppendReport(b.arena, report); err != nil {
		return err
	}
	if len(b.arena)-start > MaxRecordBytes && report.Raw != nil {
		b.arena, report.Raw = b.arena[:start], nil
		if b.arena, err = attribution.AppendReport(b.arena, report); err != nil {
			return err
		}
	}
	b.ends = append(b.ends, len(b.arena))
	return nil
}

// store makes the batch durable.
func (x *Intake) store(b *batch) error {
	start := 0
	for _, end := range b.ends {
		b.records = append(b.records, b.arena[start:end:end])
		start = end
	}
	if len(b.records) == 0 {
		return nil
	}
	return x.o.Log.AppendAll(b.shard, b.records)
}

// storeOne makes a single report durable, away from any request's batch.
func (x *Intake) storeOne(report *attribution.Report) error {
	b := x.newBatch()
	defer x.release(b)
	if err := b.addRecord(report); err != nil {
		return err
	}
	return x.store(b)
}
