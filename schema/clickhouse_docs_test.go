package schema_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/schema/schematest"
)

// The rights that the documentation grants are statements of ClickHouse's, and those to
// its own tables are the ones that the program reads.
func TestGrantsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/clickhouse.md")
	if err != nil {
		t.Fatal(err)
	}
	conn := schematest.Empty(t)
	mustParse := func(statement string) {
		t.Helper()
		var formatted string
		if err := conn.QueryRow(testContext(t), "SELECT formatQuery({statement:String})", clickhouse.Named("statement", statement)).Scan(&formatted); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	_, block, _ := strings.Cut(string(text), "```sql\n")
	block, _, _ = strings.Cut(block, "```")
	for statement := range strings.SplitSeq(block, ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			mustParse(statement)
		}
	}
	golden, err := os.ReadFile("testdata/cluster.golden.sql")
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(golden), ";\n\n") {
		if !strings.Contains(statement, "{{") && !strings.Contains(statement, "?") && statement != "" { // templates and arguments
			mustParse(statement)
		}
	}

	mustParse("SYSTEM SYNC REPLICA ON CLUSTER 'main' clicks_local") // SyncReplicas

	granted, read := systemTables(block), []string(nil)
	for _, dir := range []string{".", "../ingest", "../cmd/tributary", "../admin"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "engine" || entry.Name() == "database") {
				return fs.SkipDir
			}
			if entry.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".sql") {
				return nil
			}
			source, err := os.ReadFile(path)
			read = append(read, systemTables(string(source))...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(read)
	slices.Sort(granted)
	if read, granted = slices.Compact(read), slices.Compact(granted); !slices.Equal(read, granted) {
		t.Errorf("the program reads %v, the documentation grants %v", read, granted)
	}
}

func systemTables(text string) []string {
	return regexp.MustCompile(`\bsystem\.(?:tables|columns|parts|replicas|mutations|merges|clusters|settings|processes|query_log)\b`).FindAllString(text, -1)
}
