package background

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// priority is the nice value of the calling thread. The system call returns 20 less it.
func priority(t *testing.T) int {
	t.Helper()
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	return 20 - p
}

func TestWhoGivesWayDoesSoAloneAndWithItsChildren(t *testing.T) {
	before := priority(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		GiveWay()
		if got := priority(t); got != max(before, niceness) {
			t.Errorf("who gives way has the nice value %d", got)
		}
		out, err := exec.Command("nice").Output()
		if child := strings.TrimSpace(string(out)); err != nil || child != strconv.Itoa(max(before, niceness)) {
			t.Errorf("its child has the nice value %s, %v", child, err)
		}
		inner := make(chan int)
		go func() { inner <- priority(t) }()
		if got := <-inner; got != before {
			t.Errorf("a goroutine it starts has the nice value %d", got)
		}
	}()
	<-ended
	for range 100 { // its thread is gone, so nobody else gets it
		got := make(chan int)
		go func() { got <- priority(t) }()
		if p := <-got; p != before {
			t.Fatalf("another goroutine has the nice value %d", p)
		}
	}
}
