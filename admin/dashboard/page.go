package dashboard

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"slices"

	"tributary/catalog"
)

//go:embed templates/*.html
var templateFiles embed.FS

// An area is a part of the dashboard: pages that belong together in the navigation.
type area string

const (
	areaAdvertiser area = "advertiser"
	areaCreator    area = "creator"
	areaOperator   area = "operator"
)

// visitors are the roles that may see an area. An admin sees each advertiser's
// pages, for the advertiser the address names.
var visitors = map[area][]string{
	areaAdvertiser: {catalog.RoleAdvertiser, catalog.RoleAdmin},
	areaCreator:    {catalog.RoleCreator},
	areaOperator:   {catalog.RoleAdmin},
}

// homeArea is where a role arrives.
var homeArea = map[string]area{
	catalog.RoleAdvertiser: areaAdvertiser, catalog.RoleCreator: areaCreator, catalog.RoleAdmin: areaOperator,
}

// A page is one address of the dashboard and what is shown there.
type page struct {
	Area     area
	Path     string // a pattern of ServeMux, without the method
	Template string // templates/<Template>.html, which defines "content"
	Title    string
	Nav      string              // its name in the navigation; empty: it has no place there
	Icon     string              // in the navigation, a name of icons.html
	Badge    func(*visit) string // beside its name in the navigation, such as how many are new
	Parent   string              // whose place in the navigation is marked on a page without one: a Path
	Scripts  []string
	Charts   bool // it draws with uPlot

	Roles     []string // who may see it; the area's visitors without
	NoCompare bool     // its period is compared with nothing

	// Show reads what the template writes as .Data. A Problem becomes a page that
	// says it; parts that may fail alone are blocks.
	Show func(*visit) (any, error)

	template *template.Template
}

func (p *page) mayBeSeenBy(role string) bool {
	if p.Roles != nil {
		return slices.Contains(p.Roles, role)
	}
	return slices.Contains(visitors[p.Area], role)
}

// shared are the templates every page may use.
const shared = "templates/_*.html"

func (p *page) parse(files *assets) error {
	names, err := fs.Glob(templateFiles, shared)
	if err != nil {
		return fmt.Errorf("find shared templates: %w", err)
	}
	p.template, err = template.New("_layout.html").Funcs(functions(files)).Funcs(wording()).Funcs(template.FuncMap{"icon": p.icon}).ParseFS(templateFiles, append(names, "templates/"+p.Template+".html")...)
	return err
}

// render writes the whole page, or nothing.
func (p *page) render(v *visit) ([]byte, error) {
	var out bytes.Buffer
	if err := p.template.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return out.Bytes(), nil
}
