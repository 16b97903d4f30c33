package database

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed queries/*.sql
var queryFiles embed.FS

// Given holds the parameters of a filtered query by name. A value that is
// missing, nil or "" is not given.
type Given map[string]any

// Narrow leaves the first name that is given to find rows by its index, and has the
// others only tested ("also_").
func (g Given) Narrow(names ...string) {
	found := false
	for _, name := range names {
		value := g[name]
		if value == nil || value == "" {
			continue
		}
		if found {
			g["also_"+name] = value
			delete(g, name)
		}
		found = true
	}
}

// A querySet holds every named query. A query file is a sequence of
//
//	-- name: link.by_id
//	SELECT … WHERE id = $1
//
// A query with named parameters ($task_id) is a filtered one: its lines that end
// in "-- when given" are left out unless all of their parameters are given.
type querySet struct {
	fixed  map[string]string
	filter map[string][]filterLine
}

// A filterLine is one line of a filtered query.
type filterLine struct {
	text       string
	parameters []string
	optional   bool
}

const whenGiven = "-- when given"

var (
	queryName      = regexp.MustCompile(`(?m)^-- name: (\S+)\n`)
	namedParameter = regexp.MustCompile(`\$[a-z_]+`)
)

func loadQueries(files fs.FS) (*querySet, error) {
	set := &querySet{fixed: map[string]string{}, filter: map[string][]filterLine{}}
	paths, err := fs.Glob(files, "queries/*.sql")
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	for _, path := range paths {
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		if err := set.add(string(content)); err != nil {
			return nil, fmt.Errorf("database: %s: %w", path, err)
		}
	}
	return set, nil
}

func (s *querySet) add(content string) error {
	heads := queryName.FindAllStringSubmatchIndex(content, -1)
	for i, head := range heads {
		end := len(content)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name, text := content[head[2]:head[3]], strings.TrimSpace(content[head[1]:end])
		if s.has(name) {
			return fmt.Errorf("query %s is defined twice", name)
		}
		if namedParameter.MatchString(text) {
			s.filter[name] = parseFilter(text)
		} else {
			s.fixed[name] = text
		}
	}
	return nil
}

func (s *querySet) has(name string) bool {
	_, fixed := s.fixed[name]
	_, filter := s.filter[name]
	return fixed || filter
}

func parseFilter(text string) []filterLine {
	var lines []filterLine
	for line := range strings.Lines(text) {
		line, optional := strings.CutSuffix(strings.TrimRight(line, " \n"), whenGiven)
		lines = append(lines, filterLine{text: line, parameters: namedParameter.FindAllString(line, -1), optional: optional})
	}
	return lines
}

func (s *querySet) text(name string) string {
	text, found := s.fixed[name]
	if !found {
		panic("database: there is no query " + name)
	}
	return text
}

// filtered builds the text of a filtered query and its arguments in order.
func (s *querySet) filtered(name string, given Given) (string, []any) {
	lines, found := s.filter[name]
	if !found {
		panic("database: there is no filtered query " + name)
	}
	var text strings.Builder
	var args []any
	position := map[string]string{}
	for _, line := range lines {
		if line.optional && !given.all(line.parameters) {
			continue
		}
		text.WriteString(namedParameter.ReplaceAllStringFunc(line.text, func(parameter string) string {
			if position[parameter] == "" {
				args = append(args, given[parameter[1:]])
				position[parameter] = "$" + strconv.Itoa(len(args))
			}
			return position[parameter]
		}))
		text.WriteByte('\n')
	}
	return text.String(), args
}

func (g Given) all(parameters []string) bool {
	for _, parameter := range parameters {
		if value := g[parameter[1:]]; value == nil || value == "" {
			return false
		}
	}
	return true
}
