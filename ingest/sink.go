package ingest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
)

// A sink stores rows. Its errors are told apart by classify.
type sink interface {
	// insert stores rows under a deduplication token: once, however often the
	// same rows come with the same token, for as long as the sink remembers it.
	insert(ctx context.Context, token string, columns []Column, from, to int) error
	// stored tells what the sink has of a range.
	stored(ctx context.Context, r storedRange) (storedRows, error)
	// storedSeqs are the sequence numbers the sink has of a range.
	storedSeqs(ctx context.Context, r storedRange) (map[uint64]bool, error)
	// settled returns once stored and storedSeqs know of everything that was stored
	// before, whichever server they ask; an error says that nobody can know yet.
	settled(ctx context.Context) error
}

// storedRange asks for the rows of a node's sequence numbers first to last,
// whose times are within fromMs to toMs.
type storedRange struct {
	node         string
	first, last  uint64
	fromMs, toMs int64
}

type storedRows struct {
	count int
	// remembered: the sink still knows the token of the rows it has, so that
	// sending them again is safe.
	remembered bool
}

// tokensRemembered is the number of later blocks up to which a token is taken
// to be known: half of what the tables remember (schema.InsertSettings).
const tokensRemembered = 5000

// insertTimeout bounds one insert; a server that needs longer is asked what it
// has before the rows are sent again.
const insertTimeout = 2 * time.Minute

// queryTimeout bounds the questions about what is stored.
const queryTimeout = time.Minute

// clickhouseSink stores rows in one table of ClickHouse.
type clickhouseSink struct {
	conn      driver.Conn
	table     string
	remembers int64 // blocks a token is taken to outlive: tokensRemembered

	mu    sync.Mutex
	types []clickhouse.ColumnNameAndType // of the last table an insert met, to save asking each time
}

func (s *clickhouseSink) insert(ctx context.Context, token string, columns []Column, from, to int) (err error) {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	options := []clickhouse.QueryOption{clickhouse.WithSettings(schema.InsertSettings(token))}
	if types := s.knownTypes(); types != nil {
		options = append(options, clickhouse.WithColumnNamesAndTypes(types))
	}
	batch, err := s.conn.PrepareBatch(clickhouse.Context(ctx, options...), s.statement(columns))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.learnTypes(nil) // the table may have changed
			batch.Close()
		}
	}()
	s.learnTypes(batch)
	for i, c := range columns {
		if err := batch.Column(i).Append(c.Values.Slice(from, to)); err != nil {
			return fmt.Errorf("column %s of %s: %w", c.Name, s.table, err)
		}
	}
	return batch.Send()
}

func (s *clickhouseSink) statement(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return "INSERT INTO " + s.table + " (" + strings.Join(names, ", ") + ")"
}

func (s *clickhouseSink) knownTypes() []clickhouse.ColumnNameAndType {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.types
}

// learnTypes remembers the column types of a batch, or forgets them for nil.
func (s *clickhouseSink) learnTypes(batch driver.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if batch == nil {
		s.types = nil
		return
	}
	if s.types == nil {
		for _, c := range batch.Columns() {
			s.types = append(s.types, clickhouse.ColumnNameAndType{Name: c.Name(), Type: string(c.Type())})
		}
	}
}

// rangeCondition finds rows by their place in the log; the times let ClickHouse
// read little.
const rangeCondition = ` WHERE node = {node:String} AND seq BETWEEN {first:UInt64} AND {last:UInt64}
	AND time BETWEEN fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')`

func (r storedRange) parameters() []any {
	return []any{
		clickhouse.Named("node", r.node), clickhouse.Named("first", r.first), clickhouse.Named("last", r.last),
		clickhouse.Named("from_ms", r.fromMs), clickhouse.Named("to_ms", r.toMs),
	}
}

// settled waits for the replicas: the one that is asked may not have what another,
// which has just gone away, took in.
func (s *clickhouseSink) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return schema.SyncReplicas(ctx, s.conn, s.table)
}

// stored says how many rows of a range there are, and whether their token is known still.
func (s *clickhouseSink) stored(ctx context.Context, r storedRange) (storedRows, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	find := s.storedOnServer
	if schema.OnCluster(s.conn) != "" {
		find = s.storedOnCluster
	}
	have, err := find(ctx, r)
	if err != nil {
		return storedRows{}, fmt.Errorf("ask ClickHouse for rows %d to %d of %s: %w", r.first, r.last, s.table, err)
	}
	return have, nil
}

// storedOnServer also compares the number of the block the rows came with to that of
// the newest block: the difference bounds how many tokens came after theirs. A
// merged part keeps only its lowest block number, which errs on the safe side.
func (s *clickhouseSink) storedOnServer(ctx context.Context, r storedRange) (storedRows, error) {
	query := `SELECT count(), min(_block_number),
		(SELECT max(max_block_number) FROM system.parts WHERE database = currentDatabase() AND table = {table:String})
		FROM ` + s.table + rangeCondition
	var count, block uint64
	var newest int64
	row := s.conn.QueryRow(ctx, query, append(r.parameters(), clickhouse.Named("table", s.table))...)
	if err := row.Scan(&count, &block, &newest); err != nil {
		return storedRows{}, err
	}
	remembered := count > 0 && newest >= int64(block) && newest-int64(block) < s.remembers
	return storedRows{count: int(count), remembered: remembered}, nil
}

// clockMargin is how far the clocks of a tracker and of ClickHouse may be apart.
const clockMargin = time.Hour

// storedOnCluster counts the blocks that came since the rows were shipped: the numbers of
// blocks are of a partition there, and the tokens of all partitions are one list.
func (s *clickhouseSink) storedOnCluster(ctx context.Context, r storedRange) (storedRows, error) {
	var count uint64
	var shipped time.Time
	var database string
	row := s.conn.QueryRow(ctx, "SELECT count(), min(shipped_at), currentDatabase() FROM "+s.table+rangeCondition, r.parameters()...)
	if err := row.Scan(&count, &shipped, &database); err != nil || count == 0 {
		return storedRows{}, err
	}
	var blocks int64
	row = s.conn.QueryRow(ctx, schema.ClickHouseQuery("blocks_since"), clickhouse.Named("cluster", schema.OnCluster(s.conn)),
		clickhouse.Named("database", database), clickhouse.Named("table", schema.StoredTable(s.conn, s.table)),
		clickhouse.Named("since_s", shipped.Add(-clockMargin).Unix()))
	if err := row.Scan(&blocks); err != nil {
		return storedRows{}, err
	}
	return storedRows{count: int(count), remembered: blocks < s.remembers}, nil
}

func (s *clickhouseSink) storedSeqs(ctx context.Context, r storedRange) (map[uint64]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	seqs := map[uint64]bool{}
	rows, err := s.conn.Query(ctx, "SELECT seq FROM "+s.table+rangeCondition, r.parameters()...)
	if err == nil {
		defer rows.Close()
		for rows.Next() && err == nil {
			var seq uint64
			err = rows.Scan(&seq)
			seqs[seq] = true
		}
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse which rows of %d to %d it has in %s: %w", r.first, r.last, s.table, err)
	}
	return seqs, nil
}
