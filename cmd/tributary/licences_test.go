package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var writeLicences = flag.Bool("licences.write", false, "write docs/licences.md instead of comparing it")

// licences that third-party code may have, and a text of each that no other has.
// The first that is found is the licence.
var licences = []struct{ name, text string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"CC0-1.0", "cc0 1.0 universal"},
	{"Unlicense", "this is free and unencumbered software"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD-3-Clause", "neither the name of"},
	{"BSD-3-Clause", "nor the names of"},
	{"BSD-3-Clause", "the names of its contributors may"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms"},
}

// A dependency is third-party code, and what it is there for.
type dependency struct{ name, version, licence, use string }

const (
	inProduct = "the program"
	inTests   = "tests and tools"
)

const licencesIntro = `<!-- Generated: go test ./cmd/tributary -run TestLicences -licences.write (make docs). Do not edit. -->

# Third-party code and its licences

What the program is made of, and what tests and tools need besides. The licence of a Go module is that of the file that comes with
the code, of an npm package what it says of itself. A test fails when something came, went or has another version without being
listed here, or has a licence that is not one of these: `

// TestLicencesAreListed fails when third-party code came, went or changed its
// licence without docs/licences.md saying so, or has a licence nobody has agreed to.
func TestLicencesAreListed(t *testing.T) {
	all := append(goModules(t), npmPackages(t)...)
	slices.SortFunc(all, func(a, b dependency) int { // the program's first
		return cmp.Or(strings.Compare(b.use, a.use), strings.Compare(a.name, b.name))
	})
	var names []string
	for _, l := range licences {
		if !slices.Contains(names, l.name) {
			names = append(names, l.name)
		}
	}
	var page strings.Builder
	fmt.Fprintf(&page, "%s%s.\n\n| | version | licence | in |\n|---|---|---|---|\n", licencesIntro, strings.Join(names, ", "))
	for _, d := range all {
		if !slices.Contains(names, d.licence) {
			t.Errorf("%s %s has the licence %q, which is not agreed to: see licences in this test", d.name, d.version, d.licence)
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s |\n", d.name, d.version, d.licence, d.use)
	}
	path := fromRoot("docs/licences.md")
	if *writeLicences {
		if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	listed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(listed) != page.String() {
		t.Errorf("%s is not what go.mod and package-lock.json have: look at what came, then run 'make docs'", path)
	}
}

// fromRoot is a file of the checkout.
func fromRoot(path string) string { return filepath.Join("..", "..", path) }

// goModules are the modules the packages of which are compiled, on Linux.
func goModules(t *testing.T) (all []dependency) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range []struct {
		use      string
		packages []string
	}{{inProduct, []string{"./cmd/tributary"}}, {inTests, []string{"-test", "./...", "tool"}}} {
		list := exec.Command("go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"}, c.packages...)...)
		list.Dir = fromRoot(".")
		list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		var failed bytes.Buffer
		list.Stderr = &failed
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", list, err, &failed)
		}
		for line := range strings.Lines(string(out)) {
			parts := strings.Split(strings.TrimSpace(line), "\t")
			if len(parts) != 3 || parts[0] == "tributary" || seen[parts[0]] {
				continue
			}
			seen[parts[0]] = true
			all = append(all, dependency{parts[0], parts[1], licenceIn(t, parts[2]), c.use})
		}
	}
	return all
}

// licenceIn reads the licence that lies in a directory.
func licenceIn(t *testing.T, dir string) string {
	t.Helper()
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "UNLICENSE*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				continue // a directory of several
			}
			text := strings.ToLower(strings.Join(strings.Fields(string(content)), " "))
			for _, l := range licences {
				if strings.Contains(strings.ReplaceAll(text, "license, version", "license version"), l.text) {
					return l.name
				}
			}
		}
	}
	return "unknown"
}

// npmPackages are those of the lockfile. What is embedded or loaded is in the
// program; of the engine's four platforms one is installed.
func npmPackages(t *testing.T) (all []dependency) {
	t.Helper()
	content, err := os.ReadFile(fromRoot("package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			Version, License string
			Dev              bool
		}
	}
	if err := json.Unmarshal(content, &lock); err != nil {
		t.Fatal(err)
	}
	for path, p := range lock.Packages {
		name := strings.TrimPrefix(path, "node_modules/")
		if path == "" {
			continue
		}
		d := dependency{"npm: " + name, p.Version, p.License, inProduct}
		if p.Dev || name == "@ip-location-db/geo-whois-asn-country-mmdb" {
			d.use = inTests
		}
		if d.licence == "" {
			d.licence = installedLicence(name)
		}
		all = append(all, d)
	}
	return all
}

// installedLicence is what an installed package says of itself.
func installedLicence(name string) string {
	var says struct{ License string }
	content, err := os.ReadFile(fromRoot(filepath.Join("node_modules", name, "package.json")))
	if err != nil || json.Unmarshal(content, &says) != nil || says.License == "" {
		return "unknown"
	}
	return says.License
}
