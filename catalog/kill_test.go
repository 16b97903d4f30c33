package catalog

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// victimDir names, in the environment, the data directory of a process that
// writes until it is killed.
const victimDir = "TRIBUTARY_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	databasetest.Main(m)
}

// writeUntilKilled makes links, each under an Idempotency-Key of its own, and
// says so once each is made.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	db, err := database.Open(ctx, database.Embedded, dir)
	if err != nil {
		return err
	}
	c, _ := newCatalog(db)
	tasks, err := c.Tasks(ctx, admin, TaskFilter{}, Page{})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		key := fmt.Sprintf("key %d", i)
		_, body, _, err := c.Idempotent(ctx, admin, key, "hash", func(ctx context.Context) (int, []byte, error) {
			link, err := c.CreateLink(ctx, admin, tasks.Items[0].ID, LinkFields{Label: key})
			return 201, []byte(link.ID), err
		})
		if err != nil {
			return err
		}
		fmt.Printf("%s %s\n", key, body)
	}
}

// TestKill kills a writer. What it said is there, and what it did not say is
// there whole or not at all: a link and its kept answer come together.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openIn(t, dir)
	newWorld(t, db)
	ok(t, db.Close())

	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimDir+"="+dir)
	victim.Stderr = os.Stderr
	output, err := victim.StdoutPipe()
	ok(t, err)
	ok(t, victim.Start())
	time.AfterFunc(20*time.Second, func() { _ = victim.Process.Kill() }) // should it never say anything
	said := map[string]string{}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		at := strings.LastIndexByte(lines.Text(), ' ')
		said[lines.Text()[:at]] = lines.Text()[at+1:]
		if len(said) == 20 {
			ok(t, victim.Process.Kill())
		}
	}
	_ = victim.Wait() // it was killed
	if len(said) < 20 {
		t.Fatalf("the writer made %d links", len(said))
	}

	c, _ := newCatalog(openIn(t, dir))
	ctx := context.Background()
	links := must(c.Links(ctx, admin, LinkFilter{}, Page{Limit: MaxLimit}))(t).Items
	found := map[string]string{}
	for _, link := range links {
		found[link.Label] = link.ID
	}
	for key, id := range said {
		equal(t, key, found[key], id)
	}
	for key, id := range found {
		_, body, replayed, err := c.Idempotent(ctx, admin, key, "hash", func(context.Context) (int, []byte, error) {
			return 0, nil, attribution.Refuse(attribution.CodeConflict, "a link without its answer")
		})
		ok(t, err)
		equal(t, key+" replayed", replayed, true)
		equal(t, key, string(body), id)
	}
	equal(t, "audited", len(must(c.AuditLog(ctx, admin, AuditFilter{Thing: "link"}, Page{Limit: MaxLimit}))(t).Items), len(links))
}
