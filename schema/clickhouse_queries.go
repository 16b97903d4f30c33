package schema

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"text/template"
)

//go:embed clickhouse
var clickhouseFiles embed.FS

const clickhouseQueryDir = "clickhouse/queries"

// ClickHouseQuery returns the text of clickhouse/queries/NAME.sql. A name
// without a file is a mistake in the program, found by its first test: it panics.
func ClickHouseQuery(name string) string {
	text, err := clickhouseFiles.ReadFile(path.Join(clickhouseQueryDir, name+".sql"))
	if err != nil {
		panic(fmt.Sprintf("schema: there is no query %q: %v", name, err))
	}
	return strings.TrimRight(string(text), "; \n")
}

// ClickHouseStatement fills in a named query that is a template. What goes in are
// fragments from a program's lists, never a client's text.
func ClickHouseStatement(name string, input any) (string, error) {
	var statement strings.Builder
	query, err := template.New(name).Parse(ClickHouseQuery(name))
	if err == nil {
		err = query.Execute(&statement, input)
	}
	if err != nil {
		return "", fmt.Errorf("write the query %s: %w", name, err)
	}
	return statement.String(), nil
}
