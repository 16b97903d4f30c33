package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the direction imports run in: a room, and the rooms it may know.
// Every room may import packages of its own.
var mayImport = map[string][]string{
	"attribution": {},
	"background":  {},
	"caller":      {},
	"schema":      {"background"},
	"redirect":    {"attribution", "background", "caller"},
	"ingest":      {"attribution", "background", "schema"},
	"catalog":     {"attribution", "schema"},
	"ledger":      {"attribution", "schema"},
	"fleet":       {"attribution", "background"},
	"admin":       {"attribution", "background", "schema", "catalog", "ledger", "ingest", "caller"},
	"bench":       {},
	"torture":     {},
	"docs":        {},
	"deploy":      {},
	"cmd":         {"attribution", "background", "caller", "schema", "redirect", "ingest", "catalog", "ledger", "admin", "fleet"},
}

// pureRooms import the standard library and nothing else.
var pureRooms = []string{"attribution"}

func TestImportsRunOneWay(t *testing.T) {
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "node_modules" || name == "testdata" || name != ".." && strings.HasPrefix(name, ".") && path != root) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		checkImports(t, path, filepath.ToSlash(relative))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImports(t *testing.T, path, relative string) {
	room, _, inRoom := strings.Cut(relative, "/")
	allowed, known := mayImport[room]
	if !inRoom || !known {
		t.Errorf("%s is in no room of the house: put it into one, or the room into mayImport", relative)
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		ours, isOurs := strings.CutPrefix(imported, "tributary/")
		target, _, _ := strings.Cut(ours, "/")
		switch {
		case isOurs && target != room && !slices.Contains(allowed, target):
			t.Errorf("%s imports %s: %s may import %v", relative, imported, room, allowed)
		case !isOurs && slices.Contains(pureRooms, room) && strings.Contains(strings.Split(imported, "/")[0], "."):
			t.Errorf("%s imports %s: %s imports the standard library only", relative, imported, room)
		}
	}
}
