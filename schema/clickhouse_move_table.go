package schema

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// movedTable is a table as a move sees it.
type movedTable struct {
	name, uuid, engine string
	partitionKey       string   // empty: it has none
	columns            []string // that are stored as they are given
	keys               []string // of its order
	sums, greatest     []string // that merging rows of one key adds up, or keeps the greatest of
	remembersTokens    bool
	partitions         []movedPartition
}

type movedPartition struct {
	value, id string // of the partition key, as ClickHouse names it
	rows      uint64
}

func readMovedTable(ctx context.Context, conn driver.Conn, name string) (*movedTable, error) {
	t := &movedTable{name: name}
	var definition string
	stored := clickhouse.Named("table", StoredTable(conn, name))
	if err := conn.QueryRow(ctx, ClickHouseQuery("moved_table"), stored).Scan(&t.uuid, &t.engine, &t.partitionKey, &definition); err != nil {
		return nil, fmt.Errorf("read what %s is: %w", name, err)
	}
	t.engine = strings.TrimPrefix(t.engine, "Replicated")
	t.remembersTokens = strings.Contains(definition, "deduplication_window = 10000")
	if err := t.readColumns(ctx, conn, stored); err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", name, err)
	}
	if err := t.readPartitions(ctx, conn); err != nil {
		return nil, fmt.Errorf("read the partitions of %s: %w", name, err)
	}
	return t, nil
}

func (t *movedTable) readColumns(ctx context.Context, conn driver.Conn, stored driver.NamedValue) error {
	rows, err := conn.Query(ctx, ClickHouseQuery("moved_columns"), stored)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		var key uint8
		if err := rows.Scan(&name, &kind, &key); err != nil {
			return err
		}
		t.columns = append(t.columns, name)
		switch {
		case key == 1:
			t.keys = append(t.keys, name)
		case strings.HasPrefix(kind, "SimpleAggregateFunction(max"):
			t.greatest = append(t.greatest, name)
		default:
			t.sums = append(t.sums, name)
		}
	}
	return rows.Err()
}

// partition is a row's partition, as text.
func (t *movedTable) partition() string {
	if t.partitionKey == "" {
		return "'all'"
	}
	return "toString(" + t.partitionKey + ")"
}

func (t *movedTable) where(p movedPartition) string {
	if t.partitionKey == "" {
		return ""
	}
	return " WHERE " + t.partitionKey + " = " + p.value // a number
}

func (t *movedTable) readPartitions(ctx context.Context, conn driver.Conn) error {
	rows, err := conn.Query(ctx, "SELECT "+t.partition()+" AS name, count() FROM "+t.name+" GROUP BY name ORDER BY name")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p movedPartition
		if err := rows.Scan(&p.value, &p.rows); err != nil {
			return err
		}
		p.id = p.value
		t.partitions = append(t.partitions, p)
	}
	return rows.Err()
}

// totalKey is what totals are of.
type totalKey struct{ partition, advertiser string }

// totals are what the rows of a table add up to, whatever order they are in and however
// many of one key were merged into one already: of a table that sums, what each column
// comes to, weighted by a hash of the key; of any other how many rows there are and what
// hashes of them add up to.
func (t *movedTable) totals(ctx context.Context, conn driver.Conn) (map[totalKey]string, error) {
	figures, final := "toString((count(), sum(cityHash64("+strings.Join(t.columns, ", ")+"))))", " FINAL"
	switch t.engine {
	case "MergeTree":
		final = ""
	case "SummingMergeTree":
		final = ""
		var parts []string
		for _, column := range t.sums {
			parts = append(parts, "sum("+column+")", "sum(cityHash64("+strings.Join(t.keys, ", ")+") * toUInt64("+column+"))")
		}
		for _, column := range t.greatest {
			parts = append(parts, "max("+column+")")
		}
		figures = "toString((" + strings.Join(parts, ", ") + "))"
	}
	rows, err := conn.Query(ctx, "SELECT "+t.partition()+" AS name, CAST(advertiser_id AS String) AS advertiser, "+figures+" FROM "+t.name+final+" GROUP BY name, advertiser")
	if err != nil {
		return nil, fmt.Errorf("add up %s: %w", t.name, err)
	}
	defer rows.Close()
	totals := map[totalKey]string{}
	for rows.Next() {
		var key totalKey
		var total string
		if err := rows.Scan(&key.partition, &key.advertiser, &total); err != nil {
			return nil, fmt.Errorf("add up %s: %w", t.name, err)
		}
		totals[key] = total
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("add up %s: %w", t.name, err)
	}
	return totals, nil
}

// A rowChunk is rows of any table, by columns.
type rowChunk struct {
	rows    int
	columns []reflect.Value // slices
	row     []any           // pointers, for Scan
}

func newRowChunk(types []driver.ColumnType) *rowChunk {
	c := &rowChunk{}
	for _, kind := range types {
		c.columns = append(c.columns, reflect.MakeSlice(reflect.SliceOf(kind.ScanType()), 0, moveChunk))
		c.row = append(c.row, reflect.New(kind.ScanType()).Interface())
	}
	return c
}

// fill takes the next rows, at most limit, in place of those it has; more is false when
// there are no others.
func (c *rowChunk) fill(rows driver.Rows, limit int) (more bool, err error) {
	c.rows = 0
	for i := range c.columns {
		c.columns[i] = c.columns[i].Slice(0, 0)
	}
	for c.rows < limit {
		if !rows.Next() {
			return false, rows.Err()
		}
		if err := rows.Scan(c.row...); err != nil {
			return false, err
		}
		for i := range c.columns {
			c.columns[i] = reflect.Append(c.columns[i], reflect.ValueOf(c.row[i]).Elem())
		}
		c.rows++
	}
	return true, nil
}

func (c *rowChunk) insert(ctx context.Context, conn driver.Conn, statement string) (err error) {
	batch, err := conn.PrepareBatch(ctx, statement)
	if err != nil {
		return err
	}
	defer batch.Close()
	for i := range c.columns {
		if err := batch.Column(i).Append(c.columns[i].Interface()); err != nil {
			return err
		}
	}
	return batch.Send()
}
