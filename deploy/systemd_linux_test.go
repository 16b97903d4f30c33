package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mostExposed is the exposure level (0 to 10) that systemd may find in a unit.
const mostExposed = 2.0

func TestUnitsAreSoundAndNarrow(t *testing.T) {
	dir := t.TempDir()
	for source, installed := range map[string]string{"tributary.service": "tributary.service", "tributary@.service": "tributary@tracker.service"} {
		// What they start is not installed here.
		unit := strings.ReplaceAll(read(t, filepath.Join("systemd", source)), "/usr/local/bin/tributary serve", "/bin/true serve")
		file := filepath.Join(dir, installed)
		if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := run(t, dir, "systemd-analyze", "systemd", "verify", "--man=no", file); strings.Contains(said, installed) {
			t.Errorf("%s: %s", source, said)
		}
		said := run(t, dir, "systemd-analyze", "systemd", "security", "--offline=yes", "--no-pager", file)
		level := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(said)
		if level == nil {
			t.Fatalf("%s: no exposure level in\n%s", source, said)
		}
		if exposure, err := strconv.ParseFloat(level[1], 64); err != nil || exposure > mostExposed {
			t.Errorf("%s: exposure %s, want %.1f at most\n%s", source, level[1], mostExposed, said)
		}
	}
}
