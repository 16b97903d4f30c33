package schema_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// A process is a program beside a test. It ends with the test, however that ends.
type process struct {
	command *exec.Cmd
	ended   chan struct{}
	output  string // a file
}

func startProcess(t *testing.T, dir, path string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(path, args...), ended: make(chan struct{}), output: filepath.Join(dir, "output")}
	output, err := os.OpenFile(p.output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	p.command.Dir, p.command.Stdout, p.command.Stderr = dir, output, output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	neverOrphaned(p.command.SysProcAttr)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the program dies with the thread that starts it, and that with this process
		err := p.command.Start()
		started <- err
		if err == nil {
			_ = p.command.Wait() // how it ended is in what it said
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) runs() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends the program without a warning.
func (p *process) kill() {
	_ = p.command.Process.Kill() // an error means that it ended already
	<-p.ended
}

// said is the end of what the program wrote.
func (p *process) said() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-maxSaid):])
}

const maxSaid = 8 << 10
