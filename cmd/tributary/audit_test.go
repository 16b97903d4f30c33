package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
)

// TestBooksAgreeAfterKillsWhileMoneyIsCopied kills a process with ClickHouse at
// random moments of intake, settling and copying. Then its books must agree, asked
// beside it while orders still come, and once it has stopped.
//
//	go test ./cmd/tributary -run WhileMoneyIsCopied -v -money.seed 7
func TestBooksAgreeAfterKillsWhileMoneyIsCopied(t *testing.T) {
	t.Parallel()
	seed := *moneySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -money.seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	life := startServe(t, dir)
	client := life.client()
	m := client.makeMerchant("Acme", 1, map[string]any{
		"budget": map[string]any{"amount": "5000.00", "mode": "hard"}, "margin_rate": "0.33",
		"terms": map[string]any{"events": map[string]any{"sale": map[string]any{"type": "percent", "rate": "0.10"}}},
	})
	till := openTill(t, m.ingestKey, cashiers)
	till.goTo(client)
	c := openCounter(t, till, m, seed)
	const kills = 4
	for range kills {
		c.taking(200)
		time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond)))) // a moment of the copying
		life.signal(syscall.SIGKILL)
		life.ended()
		life = startServe(t, dir)
		client = life.client()
		till.goTo(client)
	}
	c.taking(200)
	ask := func(want int) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(terminal{Args: []string{"audit", "--data", dir}, Out: &out, Err: &errs}); code != want {
			t.Errorf("exit code %d:\n%s%s", code, &out, &errs)
		}
		return out.String()
	}
	if said := ask(exitOK); !strings.Contains(said, "the books agree") || !strings.Contains(said, "compared with ClickHouse") {
		t.Errorf("beside the process the audit says:\n%s", said)
	}
	books := c.close()
	client.settledAll()
	made := client.all("/v1/conversions", nil)
	if len(made) < len(books.accepted) {
		t.Errorf("%d orders were accepted, %d are settled", len(books.accepted), len(made))
	}
	ask(exitOK)
	life.stops()
	booksAgree(t, dir)
}

// replicasBehind are two tables without all of their rows.
type replicasBehind struct {
	driver.Conn
	driver.Row
}

func (r replicasBehind) QueryRow(context.Context, string, ...any) driver.Row { return r }

func (replicasBehind) Scan(to ...any) error {
	*to[0].(*uint64) = 2
	return nil
}

// What differs because a replica is behind is not to be taken for a loss.
func TestAuditSaysThatReplicasAreBehind(t *testing.T) {
	for cluster, want := range map[string]int{"main": 1, "": 0} {
		b := &books{app: &app{clickhouse: replicasBehind{}}}
		if cluster != "" {
			b.clickhouse = schema.InCluster(b.clickhouse, cluster)
		}
		if err := b.replicas(t.Context()); err != nil || len(b.found.Lines) != want {
			t.Errorf("cluster %q: %q, %v", cluster, b.found.Lines, err)
		}
	}
}
