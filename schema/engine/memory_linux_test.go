package engine

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// After its largest query the engine is as small as before it.
func TestGivesMemoryBack(t *testing.T) {
	options := testOptions(t.TempDir())
	options.MemoryReturn = 50 * time.Millisecond
	e := start(t, options)
	conn := connect(t, e)
	const megabytes = 1 << 10 // in units of kB, as the kernel counts
	before := anonymousMemory(t, e.PID())
	if n := count(t, conn, "SELECT count() FROM (SELECT number, count() FROM numbers(2000000) GROUP BY number)"); n != 2_000_000 {
		t.Errorf("%d groups", n)
	}
	poll(t, "memory given back", func() bool { return anonymousMemory(t, e.PID()) < before+50*megabytes })
}

// anonymousMemory is what a process takes beside files, in kB.
func anonymousMemory(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
