package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// layers resolves settings that no flag gave: from the environment, else from
// the file. It remembers where each came from, and what is wrong with the file,
// for the report of [Settings.Options].
type layers struct {
	names    []string
	loaded   bool
	file     map[string]string
	lines    map[string]string // where a key stands: "tributary.yml:3"
	origin   map[string]string // how a resolved setting is called to the operator
	problems []string
}

func newLayers() *layers {
	l := &layers{file: map[string]string{}, lines: map[string]string{}, origin: map[string]string{}}
	for _, s := range settingList() {
		l.names = append(l.names, s.Name)
	}
	return l
}

// Validate implements kong.Resolver. There is nothing to refuse early.
func (l *layers) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver for one flag that the command line left out.
func (l *layers) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !slices.Contains(l.names, flag.Name) {
		return nil, nil
	}
	l.loadOnce(ctx)
	variable := variableName(flag.Name)
	if value := os.Getenv(variable); value != "" { // an empty variable is none, as compose files leave them
		l.origin[flag.Name] = variable
		return value, nil
	}
	if value, given := l.file[flag.Name]; given {
		l.origin[flag.Name] = l.lines[flag.Name] + " " + flag.Name
		return value, nil
	}
	return nil, nil
}

// called says how the operator gave a setting.
func (l *layers) called(name string) string {
	if origin, resolved := l.origin[name]; resolved {
		return origin
	}
	return "--" + name
}

func (l *layers) loadOnce(ctx *kong.Context) {
	if l.loaded {
		return
	}
	l.loaded = true
	path := os.Getenv(variableName("config"))
	for _, flag := range ctx.Flags() {
		if given, isText := ctx.FlagValue(flag).(string); flag.Name == "config" && isText && given != "" {
			path = given
		}
	}
	if path == "" {
		return
	}
	if err := l.load(path); err != nil {
		l.problems = append(l.problems, err.Error())
	}
}

// maxConfigBytes bounds a configuration file; a real one has a few kilobytes.
const maxConfigBytes = 1 << 20

// load reads the file's keys. Everything wrong with single keys goes to
// l.problems, what makes the file unreadable is returned.
func (l *layers) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--config: cannot read the file: %w", err)
	}
	defer f.Close()
	var document yaml.Node
	err = yaml.NewDecoder(io.LimitReader(f, maxConfigBytes)).Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil // an empty file sets nothing
	}
	if err != nil {
		return fmt.Errorf("%s: is not YAML: %w", filepath.Base(path), err)
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: must be lines of the form \"data: ./data\"", filepath.Base(path))
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		l.loadKey(filepath.Base(path), root.Content[i], root.Content[i+1])
	}
	return nil
}

func (l *layers) loadKey(file string, key, value *yaml.Node) {
	name, where := key.Value, fmt.Sprintf("%s:%d", file, key.Line)
	problem := func(format string, args ...any) {
		l.problems = append(l.problems, fmt.Sprintf("%s %s: ", where, name)+fmt.Sprintf(format, args...))
	}
	if name == "config" {
		problem("a configuration file cannot name another one; give --config itself")
		return
	}
	if !slices.Contains(l.names, name) {
		if guess := nearest(name, l.names); guess != "" {
			problem("is no setting; did you mean %s?", guess)
		} else {
			problem("is no setting; 'tributary serve --help' lists them")
		}
		return
	}
	if _, twice := l.lines[name]; twice {
		problem("is set twice, first at %s; keep one", l.lines[name])
		return
	}
	l.lines[name] = where
	switch value.Kind {
	case yaml.ScalarNode:
		l.file[name] = value.Value
	case yaml.SequenceNode:
		var items []string
		for _, item := range value.Content {
			if item.Kind != yaml.ScalarNode {
				problem("must be a list of plain values")
				return
			}
			items = append(items, item.Value)
		}
		l.file[name] = kong.JoinEscaped(items, ',')
	default:
		problem("must be a plain value or a list of them")
	}
}

// nearest returns the candidate that differs from word by the fewest letters,
// or "" when none is near enough to be a slip.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, candidate := range candidates {
		if d := editDistance(word, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// editDistance is Levenshtein's: insertions, deletions and replacements.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
