package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// importing is `tributary import` as somebody starts it.
func importing(t *testing.T, out *lockedBuffer, file string, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = append([]string{"tributary", "import", file}, flags...)
	cmd.Env = append(os.Environ(), "TRIBUTARY_KEY="+adminKeyOfTests)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // an error means that it ended already
	return cmd
}

// freeAddress is one that a server that is started again can have again.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestAnImportThatIsKilledGoesOnAndCountsEachOrderOnce kills the import, then
// the server under the next one, and lets a third finish.
func TestAnImportThatIsKilledGoesOnAndCountsEachOrderOnce(t *testing.T) {
	const orders = 12_000
	dir, admin := t.TempDir(), freeAddress(t)
	server := startServe(t, dir, "--admin-addr", admin)
	client := server.client()
	link := client.makeLink()
	file := filepath.Join(t.TempDir(), "orders.csv")
	var content strings.Builder
	content.WriteString("event,order_id,amount,currency,note\n")
	for i := range orders {
		fmt.Fprintf(&content, "sale,o%d,%d.50,USD,\"one, two\"\n", i, 1+i%90)
	}
	content.WriteString("sale,odd,1.234,USD,\n")
	if err := os.WriteFile(file, []byte(content.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--url", "http://" + admin, "--advertiser", link["advertiser_id"].(string)}
	checkpoint := file + ".import.json"
	reached := func() (text string) {
		eventually(t, func() error {
			content, err := os.ReadFile(checkpoint)
			text = string(content)
			return err
		})
		return text
	}

	var first, second, third lockedBuffer
	killed := importing(t, &first, file, flags...)
	before := reached()
	_ = killed.Process.Kill()
	_ = killed.Wait()

	next := importing(t, &second, file, flags...)
	eventually(t, func() error {
		if reached() == before {
			return fmt.Errorf("it does not go on: %s", second.String())
		}
		return nil
	})
	if err := server.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-server.done
	server = startServe(t, dir, "--admin-addr", admin)
	client = server.client()
	ended := make(chan error, 1)
	go func() { ended <- next.Wait() }()
	select {
	case <-ended:
	case <-time.After(2 * time.Minute):
		t.Fatalf("it did not end: %s", second.String())
	}
	if code := next.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("with a refused line the exit code is %d: %s", code, second.String())
	}
	for _, want := range []string{"resumed at line ", fmt.Sprint(orders+1, " lines: "), "1 of 12001 lines were refused: see " + filepath.Dir(file)} {
		if !strings.Contains(second.String(), want) {
			t.Errorf("it does not say %q: %s", want, second.String())
		}
	}
	refused, err := os.ReadFile(filepath.Join(filepath.Dir(file), "orders.refused.csv"))
	if err != nil || !strings.Contains(string(refused), fmt.Sprint(orders+2, ",invalid_amount,")) || strings.Count(string(refused), "\n") != 2 {
		t.Errorf("refused lines: %v\n%s", err, refused)
	}

	dry := importing(t, &third, file, append(flags, "--dry-run")...)
	_ = dry.Wait()
	if want := fmt.Sprint(orders+1, " lines: 0 accepted, ", orders, " known already, 1 refused"); !strings.Contains(third.String(), want) {
		t.Errorf("the dry run says %s, want %s", third.String(), want)
	}
	client.settledAll()
	seen := map[string]int{}
	for _, c := range client.all("/v1/conversions", url.Values{"advertiser_id": {link["advertiser_id"].(string)}}) {
		seen[c["order_id"].(string)]++
	}
	for i := range orders {
		if n := seen[fmt.Sprint("o", i)]; n != 1 {
			t.Fatalf("order o%d is there %d times", i, n)
		}
	}
	if len(seen) != orders {
		t.Errorf("%d orders, want %d", len(seen), orders)
	}
	if status := client.call(http.MethodGet, "/v1/conversions?order_id=o7", nil, http.StatusOK)["items"].([]any)[0].(map[string]any); status["amount"] != "8.50" || status["source"] != "import" {
		t.Errorf("an order is %v", status)
	}
}
