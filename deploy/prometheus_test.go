package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

type alertRule struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func alertRules(t *testing.T) (rules []alertRule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alertRule } }
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// TestAlertsFireAndKeepQuiet runs the cases of the alerts' own tests.
func TestAlertsFireAndKeepQuiet(t *testing.T) {
	run(t, "prometheus", "promtool", "prometheus", "check", "config", "prometheus.yml")
	run(t, "prometheus", "promtool", "prometheus", "test", "rules", "alerts.test.yml", "alerts.days.test.yml")
	fired := regexp.MustCompile(`alertname="(\w+)"`)
	tested := map[string]bool{}
	for _, file := range []string{"prometheus/alerts.test.yml", "prometheus/alerts.days.test.yml"} {
		var cases struct {
			Tests []struct {
				Name  string
				Evals []struct {
					Samples []struct{ Labels string } `yaml:"exp_samples"`
				} `yaml:"promql_expr_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, file)), &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases.Tests {
			for _, eval := range c.Evals {
				for _, sample := range eval.Samples {
					tested[fired.FindStringSubmatch(sample.Labels)[1]] = true
				}
			}
		}
	}
	for _, rule := range alertRules(t) {
		if !tested[rule.Alert] {
			t.Errorf("%s fires in no case", rule.Alert)
		}
	}
}

// TestAlertsSayWhatToDo: somebody is woken, and reads what it means and what to do,
// and the document it leads to has the section.
func TestAlertsSayWhatToDo(t *testing.T) {
	for _, rule := range alertRules(t) {
		for _, text := range []string{"summary", "meaning", "action", "docs"} {
			if rule.Annotations[text] == "" {
				t.Errorf("%s has no %s", rule.Alert, text)
			}
		}
		if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
			t.Errorf("%s: severity %q", rule.Alert, severity)
		}
		file, anchor, _ := strings.Cut(rule.Annotations["docs"], "#")
		found := false
		for line := range strings.Lines(read(t, filepath.Join("..", file))) {
			if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "##") {
				found = found || anchorOf(strings.TrimSpace(title)) == anchor
			}
		}
		if !found {
			t.Errorf("%s leads to %s, and there is no section %s", rule.Alert, file, anchor)
		}
	}
}

// anchorOf is how a heading is linked to.
func anchorOf(title string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// A panel is what is looked at of a dashboard's.
type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct{ Expr string }
}

func TestTheDashboardIsWhole(t *testing.T) {
	var dashboard struct {
		Title, UID string
		Panels     []panel
		Templating struct {
			List []struct{ Name, Type string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/tributary.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range dashboard.Templating.List {
		variables[v.Name] = true
	}
	if !variables["datasource"] || len(dashboard.Panels) < 20 {
		t.Errorf("%d panels, variables %v", len(dashboard.Panels), variables)
	}
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	queries := 0
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: panels\n    rules:\n")
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("%s: its id is another's", p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[cell]; other != "" || cell[0] >= 24 {
					t.Fatalf("%s lies over %q, or beyond the edge", p.Title, other)
				}
				taken[cell] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("%s says not what it shows", p.Title)
		}
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !variables[name[1]] {
					t.Errorf("%s: there is no variable %s", p.Title, name[1])
				}
			}
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$job", "tributary").Replace(target.Expr)
			quoted, err := json.Marshal(expr) // which is YAML
			if err != nil {
				t.Fatal(err)
			}
			queries++
			fmt.Fprintf(&rules, "      - {record: 'panel:%d', expr: %s}\n", queries, quoted)
		}
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, ".", "promtool", "prometheus", "check", "rules", file)
}
