package ingest

import "context"

// A Table turns the records of a log into rows of one ClickHouse table.
type Table interface {
	// Name is the ClickHouse table.
	Name() string
	// Warm is called once in a life, before the first row is made, and again
	// until it succeeds. Of the pending rows, ClickHouse may have some already.
	Warm(ctx context.Context, pending Pending) error
	// NewBlock makes an empty block. Blocks are filled one at a time, in the
	// order of the log.
	NewBlock() Block
}

// Pending says from where on a log's rows are still to be shipped.
type Pending struct {
	Node     string // as in the node column
	FirstSeq uint64
	First    []byte // the first pending record that is a row
}

// A Block holds rows of a table by column. It is reused.
type Block interface {
	Reset()
	// Append adds the row of a record, which the block may point into until
	// Reset. An error adds nothing: the record cannot be decoded.
	Append(record []byte) error
	// Seal decides what can be known only of all rows together.
	Seal(ctx context.Context) error
	// AtMs is the time of a row, by which ClickHouse finds it.
	AtMs(row int) int64
	Columns() []Column
}

// A Column is one column of a block; every one is as long as the others.
type Column struct {
	Name   string
	Values Values
}

// Values are a column's, in order.
type Values interface {
	Len() int
	// Slice returns the values of rows from up to to, in a type that
	// clickhouse-go appends to the column.
	Slice(from, to int) any
}

// slice is the Values of one Go type.
type slice[T any] struct{ v []T }

func (s *slice[T]) Len() int               { return len(s.v) }
func (s *slice[T]) Slice(from, to int) any { return s.v[from:to] }
func (s *slice[T]) add(value T)            { s.v = append(s.v, value) }
func (s *slice[T]) reset()                 { clear(s.v); s.v = s.v[:0] }

type resetter interface{ reset() }

// arena copies records into large pieces of memory that are used again.
type arena struct {
	chunks [][]byte
	used   int // chunks filled or being filled
}

const arenaChunkBytes = 1 << 20

func (a *arena) reset() {
	for i := range a.chunks {
		a.chunks[i] = a.chunks[i][:0]
	}
	a.used = min(a.used, 1)
}

// copy returns a copy of b that lives until reset.
func (a *arena) copy(b []byte) []byte {
	if len(b) > arenaChunkBytes {
		return append([]byte(nil), b...)
	}
	if a.used == 0 || len(a.chunks[a.used-1])+len(b) > arenaChunkBytes {
		if a.used == len(a.chunks) {
			a.chunks = append(a.chunks, make([]byte, 0, arenaChunkBytes))
		}
		a.used++
	}
	chunk := &a.chunks[a.used-1]
	start := len(*chunk)
	*chunk = append(*chunk, b...)
	return (*chunk)[start:len(*chunk):len(*chunk)]
}
