package notify

import (
	"embed"
	"fmt"
	html "html/template"
	"io/fs"
	"path"
	"strings"
	"text/template"
	"time"

	"tributary/attribution"
)

//go:embed templates
var templateFiles embed.FS

// templates are what notices say, by the name of their file: TYPE.READER.
type templates struct {
	texts map[string]*template.Template
	mail  *html.Template
}

func loadTemplates() (templates, error) {
	t := templates{texts: map[string]*template.Template{}}
	files, err := fs.Glob(templateFiles, "templates/*.tmpl")
	if err != nil {
		return t, fmt.Errorf("notify: %w", err)
	}
	functions := template.FuncMap{"day": day, "join": func(words []string) string { return strings.Join(words, ", ") }}
	for _, file := range files {
		parsed, err := template.New(path.Base(file)).Funcs(functions).ParseFS(templateFiles, file)
		if err != nil {
			return t, fmt.Errorf("notify: %s: %w", file, err)
		}
		t.texts[strings.TrimSuffix(path.Base(file), ".tmpl")] = parsed
	}
	if t.mail, err = html.ParseFS(templateFiles, "templates/mail.html"); err != nil {
		return t, fmt.Errorf("notify: %w", err)
	}
	return t, nil
}

// day writes the day of a time in a zone.
func day(at attribution.Instant, zone *time.Location) string {
	return at.Time().In(zone).Format("2 January 2006")
}

// say fills a template.
func (t templates) say(name string, about any) (s said, err error) {
	parsed := t.texts[name]
	if parsed == nil {
		return s, fmt.Errorf("notify: there is no template %s", name)
	}
	var title, text strings.Builder
	if err := parsed.ExecuteTemplate(&title, "title", about); err != nil {
		return s, fmt.Errorf("notify: %s: %w", name, err)
	}
	if err := parsed.ExecuteTemplate(&text, "text", about); err != nil {
		return s, fmt.Errorf("notify: %s: %w", name, err)
	}
	return said{clean(title.String(), maxTitle), cleanLines(text.String(), maxText)}, nil
}

// A block is a paragraph or a list of an e-mail.
type block struct {
	List  bool
	Lines []string
}

// html is what a notice says as a page.
func (t templates) html(s said) (string, error) {
	var blocks []block
	for text := range strings.SplitSeq(s.text, "\n\n") {
		b := block{List: strings.HasPrefix(text, "- "), Lines: strings.Split(text, "\n")}
		for i := range b.Lines {
			if b.List {
				b.Lines[i] = strings.TrimPrefix(b.Lines[i], "- ")
			}
		}
		blocks = append(blocks, b)
	}
	var out strings.Builder
	err := t.mail.Execute(&out, struct {
		Title  string
		Blocks []block
	}{s.title, blocks})
	if err != nil {
		return "", fmt.Errorf("notify: the e-mail page: %w", err)
	}
	return out.String(), nil
}
