package deploy

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// run gives a file to the tool that reads it. A tool that is not there fails the
// test with how to get it.
func run(t *testing.T, dir, tool, from string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + tool); err != nil {
			t.Fatalf("%s is not installed: run 'make test-deps', or 'apt-get install %s'", tool, from)
		}
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, said)
	}
	return string(said)
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// documents are the YAML documents of a file.
func documents(t *testing.T, file string) (all []map[string]any) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, file)))
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, document)
	}
}

// files are the files of this directory whose names match, with what is below.
func files(t *testing.T, keep func(path string) bool) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && keep(path) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files: %v", err)
	}
	return paths
}

// described are the names in the first column of a generated reference.
func described(t *testing.T, file string, name *regexp.Regexp) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, found := range name.FindAllStringSubmatch(read(t, file), -1) {
		known[found[1]] = true
	}
	if len(known) < 10 {
		t.Fatalf("%s describes %d names: it is read wrongly", file, len(known))
	}
	return known
}

// TestMetricsThatAreNamedExist: a dashboard or an alert about a metric that was
// renamed shows nothing, for ever.
func TestMetricsThatAreNamedExist(t *testing.T) {
	known := described(t, "../docs/metrics.md", regexp.MustCompile("(?m)^\\| `(tributary_[a-z_]+)`"))
	ofHistograms := regexp.MustCompile(`_(bucket|sum|count)$`)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\btributary_[a-z_]+[a-z]\b`)
	for _, file := range append(files(t, func(path string) bool {
		return strings.HasPrefix(path, "prometheus/") || strings.HasPrefix(path, "grafana/")
	}), pages...) {
		for _, metric := range named.FindAllString(read(t, file), -1) {
			if !known[metric] && !known[ofHistograms.ReplaceAllString(metric, "")] {
				t.Errorf("%s names %s, which docs/metrics.md does not know", file, metric)
			}
		}
	}
}

// TestSettingsThatAreNamedExist: a process with a setting that does not exist does not
// start.
func TestSettingsThatAreNamedExist(t *testing.T) {
	variables := described(t, "../docs/configuration.md", regexp.MustCompile("`(TRIBUTARY_[A-Z_]+)`"))
	keys := described(t, "../docs/configuration.md", regexp.MustCompile("(?m)^\\| `--([a-z-]+)"))
	// What is given to Caddy and to compose, and not to Tributary.
	others := []string{"TRIBUTARY_LINK_HOST", "TRIBUTARY_ADMIN_HOST", "TRIBUTARY_ACME_EMAIL", "TRIBUTARY_TRACKERS", "TRIBUTARY_ADMINS", "TRIBUTARY_IMAGE"}
	variable := regexp.MustCompile(`\bTRIBUTARY_[A-Z_]+\b`)
	flag := regexp.MustCompile(`--[a-z]+(-[a-z]+)+`)
	ofOtherTools := regexp.MustCompile(`\b(docker|npm|RUN|wget|build-arg)\b`)
	for _, file := range files(t, func(path string) bool { return !strings.HasSuffix(path, ".go") }) {
		text := read(t, file)
		for _, name := range variable.FindAllString(text, -1) {
			if !variables[name] && !slices.Contains(others, name) {
				t.Errorf("%s names %s, which docs/configuration.md does not know", file, name)
			}
		}
		for line := range strings.Lines(text) {
			for _, name := range flag.FindAllString(line, -1) {
				if !keys[name[2:]] && !ofOtherTools.MatchString(line) {
					t.Errorf("%s names %s, which docs/configuration.md does not know", file, name)
				}
			}
		}
	}
	for _, file := range files(t, func(path string) bool { return filepath.Base(path) == "tributary.yml" }) {
		for _, document := range documents(t, file) {
			for key := range document {
				if !keys[key] {
					t.Errorf("%s has %s, which docs/configuration.md does not know", file, key)
				}
			}
		}
	}
}

// TestTheImageHoldsWhatItNeedsAndNobodyIsRoot reads the Containerfile.
func TestTheImageHoldsWhatItNeedsAndNobodyIsRoot(t *testing.T) {
	text := read(t, "Containerfile")
	for _, image := range regexp.MustCompile(`(?m)^ARG \w+_IMAGE=(\S+)$`).FindAllStringSubmatch(text, -1) {
		name, tag, tagged := strings.Cut(image[1][strings.LastIndex(image[1], "/")+1:], ":")
		if !tagged || tag == "latest" {
			t.Errorf("%s is of no version", name)
		}
	}
	last := text[strings.LastIndex(text, "\nFROM "):]
	if user := regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(last); user == nil || user[1] == "0" {
		t.Errorf("the image runs as %q, want a number that is not 0", user)
	}
	// COPY of this directory leaves out what .dockerignore says, and nothing may be
	// copied by name that is ignored.
	var ignored []string
	for line := range strings.Lines(read(t, "Containerfile.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			ignored = append(ignored, line)
		}
	}
	for _, secret := range []string{".git", "data", "**/secrets.json", "**/*.db"} {
		if !slices.Contains(ignored, secret) {
			t.Errorf("%s may get into the image", secret)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^COPY (.+)$`).FindAllStringSubmatch(text, -1) {
		words := strings.Fields(line[1])
		if strings.HasPrefix(words[0], "--") {
			continue
		}
		for _, source := range words[:len(words)-1] {
			if _, err := os.Stat(filepath.Join("..", source)); err != nil || slices.Contains(ignored, source) {
				t.Errorf("COPY %s: it is not in the context (%v)", source, err)
			}
		}
	}
	for _, directory := range []string{"assets", "thirdparty"} {
		if !strings.Contains(text, directory+"/") {
			t.Errorf("nothing is put into %s, which the binary embeds", directory)
		}
	}
}
