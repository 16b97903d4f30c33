package ingest

import (
	"context"
	"fmt"
	"time"

	"tributary/ingest/spool"
)

// A batch is a range of the log as rows. It is filled by one goroutine, then
// delivered by another, then committed and used again.
type batch struct {
	span
	claimed   bool   // by an earlier life, which may have sent it
	pieces    []span // that the earlier life cut it into
	block     Block
	columns   []Column // of block, and those every table has
	seqs      slice[uint64]
	nodes     slice[string]
	shippedAt slice[int64]
	records   [][]byte // of each row
	refused   []QuarantineEntry
	missing   int
	memory    arena
	delivered chan error
}

// rows is the number of rows.
func (b *batch) rows() int { return b.seqs.Len() }

func (b *batch) reset(r span) {
	b.span, b.claimed, b.pieces, b.missing = r, false, nil, 0
	b.block.Reset()
	b.seqs.reset()
	b.nodes.reset()
	b.shippedAt.reset()
	clear(b.records)
	b.records, b.refused = b.records[:0], nil
	b.memory.reset()
	if b.columns == nil {
		b.columns = append(append(b.columns, b.block.Columns()...),
			Column{"node", &b.nodes}, Column{"seq", &b.seqs}, Column{"shipped_at", &b.shippedAt})
	}
}

// A filler turns the log into batches.
type filler struct {
	*Shipper
	free   <-chan *batch
	filled chan<- *batch
	warmed bool
}

// run fills first the batches an earlier life claimed, as they were, then those
// of what follows. It ends only with an error, life's end at the latest.
func (f *filler) run(life context.Context) error {
	next := f.Log.Committed() + 1
	for _, c := range f.claims.all() {
		records, err := f.readRange(life, c.span)
		if err == nil {
			err = f.fill(life, records, &c)
		}
		if err != nil {
			return err
		}
		next = c.Last + 1
	}
	for {
		began := time.Now()
		records, err := f.read(life, func() (*spool.Batch, error) { return f.Log.Next(life, f.BatchRecords, f.BatchBytes) })
		if err == nil && records.First > next { // handed out before, to a shipper that was stopped in this process
			records, err = f.readRange(life, span{next, records.Last})
		}
		if err != nil {
			return err
		}
		next = records.Last + 1
		behind := len(records.Records) >= f.BatchRecords/2
		if err := f.fill(life, records, nil); err != nil {
			return err
		}
		if !behind {
			records.Release()
			f.sleep(life, f.Interval-time.Since(began))
		}
	}
}

// fill hands a batch of the records on.
func (f *filler) fill(life context.Context, records *spool.Batch, claimed *claim) error {
	var b *batch
	select {
	case b = <-f.free:
	case <-life.Done():
		return life.Err()
	}
	b.reset(span{records.First, records.Last})
	if claimed != nil {
		b.claimed, b.pieces = true, claimed.Pieces
	}
	if err := f.warm(life, records); err != nil {
		return err
	}
	if err := f.encode(life, b, records); err != nil {
		return err
	}
	select {
	case f.filled <- b:
		return nil
	case <-life.Done():
		return life.Err()
	}
}

func (f *filler) readRange(life context.Context, r span) (*spool.Batch, error) {
	return f.read(life, func() (*spool.Batch, error) { return f.Log.ReadRange(life, r.First, r.Last) })
}

// read asks the log until it answers.
func (f *filler) read(life context.Context, ask func() (*spool.Batch, error)) (records *spool.Batch, err error) {
	err = f.untilDone(life, "read the spool", func() (err error) {
		records, err = ask()
		return err
	})
	return records, err
}

// warm lets the table remember what it must before the first row of a life.
func (f *filler) warm(life context.Context, records *spool.Batch) error {
	if f.warmed {
		return nil
	}
	probe := f.Table.NewBlock()
	for _, record := range records.Records {
		if probe.Append(record) != nil {
			continue
		}
		pending := Pending{Node: f.node, FirstSeq: records.First, First: record}
		err := f.untilDone(life, "ask ClickHouse for the last visits", func() error { return f.Table.Warm(life, pending) })
		f.warmed = err == nil
		return err
	}
	return nil // not a row among them
}

// encode makes rows of the records. Those that are none go to quarantine with
// the batch.
func (f *filler) encode(life context.Context, b *batch, records *spool.Batch) error {
	shippedAt := time.Now().UnixMilli()
	b.missing = records.Missing
	for i, record := range records.Records {
		seq := records.Sequence(i)
		kept := b.memory.copy(record)
		if err := b.block.Append(kept); err != nil {
			b.refused = append(b.refused, f.entry(seq, kept, ReasonUndecodable, err))
			continue
		}
		b.seqs.add(seq)
		b.nodes.add(f.node)
		b.shippedAt.add(shippedAt)
		b.records = append(b.records, kept)
	}
	return f.untilDone(life, "decide which visits are unique", func() error {
		if err := b.block.Seal(life); err != nil {
			return fmt.Errorf("unique window: %w", err)
		}
		return nil
	})
}

func (s *Shipper) entry(seq uint64, record []byte, reason string, err error) QuarantineEntry {
	return QuarantineEntry{Source: s.Name, Log: s.Log.Identity(), Seq: seq, Reason: reason, Detail: err.Error(), Record: record}
}
