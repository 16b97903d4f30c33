package admin

import (
	"strings"
	"testing"
)

// TestNobodyWritesLogLines puts line breaks, terminal sequences and fake log lines
// wherever a client may write: every line of the log stays one of ours.
func TestNobodyWritesLogLines(t *testing.T) {
	b := newBench(t, nil)
	for _, payload := range []string{
		"%0d%0atime=2027-01-10T09:00:00Z%20level=ERROR%20msg=evil", "%1b[31m", "%1b]0;title%07", "%e2%80%a8", "%c2%9b31m", "%7f%08", "%250d%250a", "\"%20msg=evil",
	} {
		for _, path := range []string{"/v1/creators/" + payload, "/" + payload, "/v1/creators?cursor=" + payload, "/v1/creators?" + payload + "=1", "/login?next=" + payload} {
			b.send(b.root, "GET", path, "", "X-Request-Id", "x\tlevel=ERROR", "User-Agent", "x\tlevel=ERROR", "Referer", "https://x/\x80")
		}
		b.send(b.root, "POST", "/v1/creators", `{"name":"`+strings.ReplaceAll(payload, `"`, "")+`\u001b[31m\r\nlevel=ERROR","`+strings.ReplaceAll(payload, `"`, "")+`\n":1}`)
	}
	lines := b.log.String()
	if strings.Count(lines, "\n") < 40 {
		t.Errorf("only %d lines are logged", strings.Count(lines, "\n"))
	}
	for line := range strings.Lines(lines) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "time=2") || strings.Contains(line, "level=ERROR msg=evil") && !strings.Contains(line, `"`) ||
			strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' }) {
			t.Errorf("a log line is %q", line)
		}
	}
}
