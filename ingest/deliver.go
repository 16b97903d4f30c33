package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"
)

// A delivery brings one batch into the table and its bad records into
// quarantine. It ends without an error only when every record of the batch is
// in one of them, durably.
//
// An insert that spans months makes a part in each of them and may be applied
// to some only. The same token then completes it: ClickHouse keeps one for each
// month's part. Once the token may be forgotten, ClickHouse is asked for the
// rows it has, and those it lacks become pieces with tokens of their own.
type delivery struct {
	*Shipper
	batch           *batch
	life, inserting context.Context

	refusedInARow int
	quarantined   map[uint64]bool // of this batch, by an earlier life
}

// maxRefusedInARow is how many rows a table may refuse one after the other
// before the table is taken to be what is wrong, not the rows.
const maxRefusedInARow = 100

// piece is a run of the batch's rows that is inserted under one token.
type piece struct {
	from, to int // rows
	span
	unsure bool // it may have been stored already
}

func (d *delivery) run() error {
	if err := d.quarantineUndecodable(); err != nil {
		return err
	}
	todo := d.pieces()
	for len(todo) > 0 {
		cut, err := d.settle(todo[0])
		if err != nil {
			return err
		}
		todo = append(cut, todo[1:]...)
		if len(cut) > 0 {
			if err := d.noteCut(todo); err != nil {
				return err
			}
		}
	}
	return nil
}

// pieces are the whole batch, or what an earlier life cut it into.
func (d *delivery) pieces() []piece {
	b := d.batch
	spans := b.pieces
	if len(spans) == 0 {
		spans = []span{b.span}
	}
	var pieces []piece
	for _, s := range spans {
		from := sort.Search(b.rows(), func(i int) bool { return b.seqs.v[i] >= s.First })
		to := sort.Search(b.rows(), func(i int) bool { return b.seqs.v[i] > s.Last })
		if from < to {
			pieces = append(pieces, piece{from: from, to: to, span: s, unsure: b.claimed})
		}
	}
	return pieces
}

// settle sends a piece until its fate is known: stored or in quarantine, or cut
// into pieces that take its place.
func (d *delivery) settle(p piece) (cut []piece, err error) {
	for attempt := 0; ; attempt++ {
		cut, done, err := d.attempt(&p)
		if err == nil && (done || len(cut) > 0) {
			d.health.works("insert into ClickHouse")
			return cut, nil
		}
		if errors.Is(err, errKilled) {
			return nil, err
		}
		if d.life.Err() != nil {
			return nil, d.life.Err()
		}
		d.health.fails("insert into ClickHouse", err)
		d.sleep(d.life, d.retry.wait(attempt))
		if d.life.Err() != nil {
			return nil, d.life.Err()
		}
	}
}

// errKilled is what a test's checkpoint returns to end a life.
var errKilled = errors.New("killed")

// attempt does one round of settle.
func (d *delivery) attempt(p *piece) (cut []piece, done bool, err error) {
	if p.unsure {
		if cut, done, err = d.resolve(*p); err != nil || done || len(cut) > 0 {
			return cut, done, err
		}
	}
	err = d.insert(*p)
	if err == nil {
		d.refusedInARow = 0
		return nil, true, d.checkpoint("inserted")
	}
	p.unsure = true
	d.Metrics.InsertFailed(d.Table.Name())
	kind := classify(err)
	if kind == failurePassing || kind == failureSize && p.to-p.from == 1 {
		return nil, false, err
	}
	return d.refuse(*p, err)
}

func (d *delivery) insert(p piece) error {
	began := time.Now()
	if err := d.sink.insert(d.inserting, d.token(p.span), d.batch.columns, p.from, p.to); err != nil {
		return err
	}
	d.Metrics.Shipped(d.Table.Name(), p.to-p.from, time.Since(began))
	return nil
}

// token names a range of the log for ever.
func (d *delivery) token(s span) string {
	return fmt.Sprintf("%s:%s:%d-%d", d.Node, d.Log.Identity(), s.First, s.Last)
}

// resolve asks what became of a piece that was sent before. Not done and not
// cut means: send it.
func (d *delivery) resolve(p piece) (cut []piece, done bool, err error) {
	have, err := d.sink.stored(d.inserting, d.rangeOf(p))
	switch {
	case err != nil:
		return nil, false, err
	case have.count == 0, have.remembered:
		// With the token remembered, what is stored is not stored again, and a
		// rollup that a crash kept from its rows gets them.
		return nil, false, nil
	case have.count >= p.to-p.from:
		d.Logger.Warn("a batch of an earlier life was already stored, too long ago to repeat it for the rollups; if the server crashed then, `tributary audit` shows whether they lack it",
			"log", d.Name, "first", p.First, "last", p.Last)
		return nil, true, nil
	}
	if err := d.sink.settled(d.inserting); err != nil {
		return nil, false, err
	}
	cut, err = d.missingRuns(p)
	return cut, err == nil && len(cut) == 0, err
}

// rangeOf describes a piece to the sink.
func (d *delivery) rangeOf(p piece) storedRange {
	r := storedRange{node: d.node, first: p.First, last: p.Last, fromMs: d.batch.block.AtMs(p.from), toMs: d.batch.block.AtMs(p.from)}
	for row := p.from; row < p.to; row++ {
		r.fromMs, r.toMs = min(r.fromMs, d.batch.block.AtMs(row)), max(r.toMs, d.batch.block.AtMs(row))
	}
	return r
}

// missingRuns are the runs of a piece's rows that are not stored. They are sent under
// tokens of their own, so that the sink must have settled before.
func (d *delivery) missingRuns(p piece) ([]piece, error) {
	have, err := d.sink.storedSeqs(d.inserting, d.rangeOf(p))
	if err != nil {
		return nil, err
	}
	var runs []piece
	seqs := d.batch.seqs.v
	for row := p.from; row < p.to; row++ {
		if have[seqs[row]] {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].to == row {
			runs[n-1].to, runs[n-1].Last = row+1, seqs[row]
			continue
		}
		runs = append(runs, piece{from: row, to: row + 1, span: span{seqs[row], seqs[row]}})
	}
	return runs, nil
}

// refuse deals with a definite refusal: it halves the piece, or puts its one row
// into quarantine. Rows that were stored by an attempt whose reply was lost are
// left out.
func (d *delivery) refuse(p piece, refusal error) (cut []piece, done bool, err error) {
	if err := d.sink.settled(d.inserting); err != nil {
		return nil, false, err
	}
	have, err := d.sink.stored(d.inserting, d.rangeOf(p))
	if err != nil {
		return nil, false, err
	}
	switch {
	case have.count >= p.to-p.from:
		d.Logger.Warn("ClickHouse refused a batch whose rows it has: a rollup may lack them; `tributary audit` shows it",
			"log", d.Name, "first", p.First, "last", p.Last, "error", refusal)
		return nil, true, nil
	case have.count > 0:
		cut, err = d.missingRuns(p)
		return cut, err == nil && len(cut) == 0, err
	case p.to-p.from > 1:
		return d.halves(p), false, nil
	}
	if d.refusedInARow >= maxRefusedInARow {
		d.refusedInARow = 0 // one round of waiting for the next hundred
		return nil, false, fmt.Errorf("the table refuses row after row, so that it is not the rows; check that its migrations match this program: %w", refusal)
	}
	d.refusedInARow++
	seq := d.batch.seqs.v[p.from]
	return nil, true, d.putAside(d.entry(seq, d.batch.records[p.from], ReasonRefused, refusal))
}

func (d *delivery) halves(p piece) []piece {
	middle := (p.from + p.to) / 2
	seqs := d.batch.seqs.v
	return []piece{
		{from: p.from, to: middle, span: span{p.First, seqs[middle-1]}},
		{from: middle, to: p.to, span: span{seqs[middle], p.Last}},
	}
}

// noteCut makes the pieces that are left durable before any of them is sent.
func (d *delivery) noteCut(todo []piece) error {
	spans := make([]span, len(todo))
	for i, p := range todo {
		spans[i] = p.span
	}
	err := d.untilDone(d.life, "note the pieces of a batch", func() error { return d.claims.cut(d.batch.span, spans) })
	if err != nil {
		return err
	}
	return d.checkpoint("cut")
}

// quarantineUndecodable puts the batch's records that are no rows aside.
func (d *delivery) quarantineUndecodable() error {
	if d.batch.claimed {
		err := d.untilDone(d.life, "read the quarantine", func() (err error) {
			d.quarantined, err = d.Quarantine.seqs(d.life, d.Log.Identity(), d.batch.span)
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(d.batch.refused) == 0 {
		return nil
	}
	err := d.untilDone(d.life, "write to quarantine", func() error { return d.putAside(d.batch.refused...) })
	if err != nil {
		return err
	}
	return d.checkpoint("quarantined")
}

// putAside writes entries that an earlier life did not write.
func (d *delivery) putAside(entries ...QuarantineEntry) error {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e QuarantineEntry) bool { return d.quarantined[e.Seq] })
	return d.Quarantine.Put(entries...)
}
