package schema

import (
	"embed"
	"fmt"
	"path"
	"strings"
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

// ClickHouseQueryNames lists the names ClickHouseQuery knows, sorted.
func ClickHouseQueryNames() []string {
	entries, err := clickhouseFiles.ReadDir(clickhouseQueryDir)
	if err != nil {
		panic(fmt.Sprintf("schema: %v", err)) // the directory is embedded
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".sql"))
	}
	return names
}
