package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPageNamesTestsThereAre: a claim in docs/security.md stands on a test.
func TestSecurityPageNamesTestsThereAre(t *testing.T) {
	page, err := os.ReadFile(fromRoot("docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, room := range []string{"admin", "attribution", "caller", "catalog", "cmd", "ledger", "redirect"} {
		err := filepath.WalkDir(fromRoot(room), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			tests.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 30 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
}
