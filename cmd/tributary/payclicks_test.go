package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/attribution"
	"tributary/ledger"
	"tributary/schema"
)

// arrived says that every click until a time is stored.
type arrived struct{ through time.Time }

func (a *arrived) DataThrough(time.Time) time.Time { return a.through }

var errReplicaAway = errors.New("a replica is away")

// replicaAway cannot say that all replicas have everything.
type replicaAway struct{ driver.Conn }

func (replicaAway) Exec(context.Context, string, ...any) error { return errReplicaAway }

func TestClicksOfAnHourArePaidWhenAllHaveArrived(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeLink()
	a.call(http.MethodPatch, "/v1/campaigns/"+link["campaign_id"].(string), map[string]any{
		"cost_per": map[string]any{"like": "0.10"},
		"terms":    map[string]any{"events": map[string]any{"click": map[string]any{"type": "flat", "amount": "0.05"}}},
	}, http.StatusOK)
	ctx, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	select {
	case <-a.migrated:
	case <-ctx.Done():
		t.Fatal("ClickHouse is not ready")
	}
	hour := time.Now().Truncate(time.Hour).Add(time.Hour)
	sequence := 0 // an insert like one before would be taken for its repetition
	insert := func(n int, verdict string, unique int, unpayable string, at time.Time) {
		t.Helper()
		for range n {
			sequence++
			err := a.clickhouse.Exec(ctx, `INSERT INTO clicks (seq, time, campaign_id, creator_id, task_id, link_id, verdict, is_unique, unpayable) VALUES (?, fromUnixTimestamp64Milli(?), ?, ?, ?, ?, ?, ?, ?)`,
				sequence, at.UnixMilli(), link["campaign_id"], link["creator_id"], link["task_id"], link["id"], verdict, unique, unpayable)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	insert(3, "valid", 1, "", hour.Add(time.Minute))
	insert(1, "valid", 0, "", hour.Add(time.Minute))
	insert(1, "bot", 1, "", hour.Add(time.Minute))
	insert(1, "valid", 1, "campaign_paused", hour.Add(time.Minute))
	insert(2, "valid", 1, "", hour.Add(3*time.Hour-time.Millisecond))

	through := &arrived{hour.Add(time.Hour + clicksUnderWay - time.Second)}
	payer := a.clickPayer()
	payer.freshness, payer.underWay = through, clicksUnderWay // as among other nodes
	paid := func() (actions []any) {
		t.Helper()
		if err := payer.pay(ctx); err != nil {
			t.Fatal(err)
		}
		return a.call(http.MethodGet, "/v1/actions?task_id="+link["task_id"].(string), nil, http.StatusOK)["items"].([]any)
	}
	if early := paid(); len(early) != 0 {
		t.Fatalf("before the clicks had arrived %v were paid", early)
	}
	through.through = hour.Add(80 * time.Hour)
	payer.clickhouse = schema.InCluster(replicaAway{a.clickhouse}, "main")
	if err := payer.pay(ctx); !errors.Is(err, errReplicaAway) {
		t.Errorf("while a replica may lack clicks: %v", err)
	}
	payer.clickhouse = a.clickhouse // hours were missed, by more than are read at once
	for range 2 {
		actions := paid()
		if len(actions) != 2 {
			t.Fatalf("%v were paid", actions)
		}
		for i, want := range []string{"0.15", "0.10"} {
			action := actions[i].(map[string]any)
			if action["event"] != ledger.EventClick || action["payout"] != want || action["link_id"] != link["id"] || action["locked_at"] == nil {
				t.Errorf("action %d is %v, want a payout of %s", i, action, want)
			}
		}
	}

	many := make([]string, 50_000) // more than one question can name
	for i := range many {
		many[i] = fmt.Sprintf("cmp_%026d", i)
	}
	insert(4, "valid", 1, "", hour.Add(90*time.Hour))
	late := attribution.InstantOf(hour.Add(90 * time.Hour))
	if err := payer.book(ctx, append(many, link["campaign_id"].(string)), late, late+ledger.HourMs); err != nil {
		t.Fatalf("of many campaigns: %v", err)
	}
	if actions := paid(); len(actions) != 3 || actions[2].(map[string]any)["payout"] != "0.20" {
		t.Errorf("of many campaigns %v were paid", actions)
	}
}
