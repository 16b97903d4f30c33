package catalog

import (
	"context"
	"fmt"
	"strings"

	"tributary/attribution"
	"tributary/schema/database"
)

const (
	defaultLimit = 100
	// MaxLimit is the largest page.
	MaxLimit = 1000
)

// limit is the page's size with its default; a wrong one is a Problem.
func (p Page) limit() (int, error) {
	if p.Limit < 0 || p.Limit > MaxLimit {
		return 0, fieldProblem("query.limit", fmt.Sprintf("must be 1 to %d", MaxLimit))
	}
	if p.Limit == 0 {
		return defaultLimit, nil
	}
	return p.Limit, nil
}

func badCursor() error {
	return fieldProblem("query.cursor", "is not a cursor of this list: pass the next_cursor of its last answer")
}

// A scanner is a row that was found.
type scanner interface{ Scan(dest ...any) error }

// page runs a filtered query of one list, newest first. The cursor of a page is
// the key of its last item; before reads it for the query.
func page[T any](ctx context.Context, db database.Reader, query string, given database.Given, p Page,
	before func(cursor string) (any, bool), scan func(scanner) (T, error), key func(T) string) (List[T], error) {
	list := List[T]{Items: []T{}}
	limit, err := p.limit()
	if err != nil {
		return list, err
	}
	if p.Cursor != "" {
		value, valid := before(p.Cursor)
		if !valid {
			return list, badCursor()
		}
		given["before"] = value
	}
	given["limit"] = limit + 1
	rows, err := db.Filter(ctx, query, given)
	if err != nil {
		return list, err
	}
	defer rows.Close()
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return list, fmt.Errorf("catalog: reading %s: %w", query, err)
		}
		list.Items = append(list.Items, item)
	}
	if err := rows.Err(); err != nil {
		return list, fmt.Errorf("catalog: reading %s: %w", query, err)
	}
	if len(list.Items) > limit {
		list.Items = list.Items[:limit]
		list.NextCursor = key(list.Items[limit-1])
	}
	return list, nil
}

// each hands on the rows of a query.
func each(ctx context.Context, db database.Reader, query string, read func(scanner) error, args ...any) error {
	rows, err := db.Rows(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("catalog: reading %s: %w", query, err)
	}
	return nil
}

// byID reads cursors that are identifiers.
func byID(prefix string) func(string) (any, bool) {
	return func(cursor string) (any, bool) { return cursor, attribution.ValidID(prefix, cursor) }
}

// contains is the LIKE pattern of a text that holds q, in lower case as search
// columns are.
func contains(q string) string {
	if q == "" {
		return ""
	}
	return "%" + likeLiteral(strings.ToLower(q)) + "%"
}

// element is the LIKE pattern of a stored list that has the element.
func element(value string) string {
	if value == "" {
		return ""
	}
	return "%\n" + likeLiteral(value) + "\n%"
}

func likeLiteral(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// elements stores a list for element to be found in.
func elements(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return "\n" + strings.Join(values, "\n") + "\n"
}

// searchText is what contains is matched against.
func searchText(parts ...string) string { return strings.ToLower(strings.Join(parts, "\n")) }
