package schema

import (
	"fmt"
	"strings"
)

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
