package schema_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// zooKeeperClasses are where Debian and Homebrew put ZooKeeper, as Java's class path.
var zooKeeperClasses = [...]string{
	"/usr/share/java/zookeeper.jar", "/opt/homebrew/opt/zookeeper/libexec/lib/*", "/usr/local/opt/zookeeper/libexec/lib/*",
}

const zooKeeperConfig = `dataDir=%s
clientPortAddress=127.0.0.1
clientPort=%s
tickTime=500
admin.enableServer=false
4lw.commands.whitelist=srvr,mntr
`

// A keeper is a ZooKeeper, which ClickHouse Keeper stands in for.
type keeper struct {
	t       *testing.T
	address string
	process *process
}

// startKeeper starts a ZooKeeper and waits until it serves.
func startKeeper(t *testing.T) *keeper {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal("java is missing: install it with `make test-deps`")
	}
	i := slices.IndexFunc(zooKeeperClasses[:], func(path string) bool { found, _ := filepath.Glob(path); return len(found) > 0 })
	if i < 0 {
		t.Fatal("ZooKeeper is missing: install it with `make test-deps`")
	}
	dir := t.TempDir()
	k := &keeper{t: t, address: freeAddress(t)}
	config := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, zooKeeperConfig, filepath.Join(dir, "data"), port(k.address)), 0o600); err != nil {
		t.Fatal(err)
	}
	k.process = startProcess(t, dir, java, "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-cp", zooKeeperClasses[i], "org.apache.zookeeper.server.ZooKeeperServerMain", config)
	k.says("srvr", "Zookeeper version")
	return k
}

// says waits until the answer to one of ZooKeeper's words for operators has a text in it.
func (k *keeper) says(word, text string) {
	k.t.Helper()
	var answer []byte
	var err error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline) && k.process.runs(); time.Sleep(20 * time.Millisecond) {
		if answer, err = k.ask(word); err == nil && strings.Contains(string(answer), text) {
			return
		}
	}
	k.t.Fatalf("ZooKeeper says %q to %s, and not %q: %v\n%s", answer, word, text, err, k.process.said())
}

func (k *keeper) ask(word string) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", k.address, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return nil, err
	}
	return io.ReadAll(conn)
}
