package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tributary/schema/database"
	"tributary/schema/database/databasetest"
)

// TestScheduledWorkMovesOn has two admins and a tracker on one database: one admin
// does what is scheduled, the other when that one has stopped, the tracker never.
func TestScheduledWorkMovesOn(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	var at [3]atomic.Int64 // how many jobs run on a node
	var nodes [3]*app
	for i := range nodes {
		nodes[i] = &app{log: slog.New(slog.DiscardHandler), db: databasetest.OpenDSN(t, server.DSN("postgres"))}
		if i < 2 {
			nodes[i].lease = nodes[i].db.Lease(scheduleLease, string(rune('a'+i)))
			nodes[i].life.background("leadership", func(ctx context.Context) { nodes[i].lease.Run(ctx, func(err error) { t.Log(err) }) })
		}
		for _, name := range []string{"one", "other"} {
			nodes[i].scheduled(name, func(ctx context.Context) {
				at[i].Add(1)
				<-ctx.Done()
				at[i].Add(-1)
			})
		}
		t.Cleanup(func() { _ = nodes[i].life.stop(10 * time.Second) })
		if i == 0 {
			until(t, "the first leads", func() bool { return at[0].Load() == 2 })
		}
	}
	if err := nodes[0].life.stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	if at[0].Load() != 0 {
		t.Error("work goes on after the stop")
	}
	until(t, "the second follows", func() bool { return at[1].Load() == 2 })
	server.Stop() // nobody can renew
	until(t, "it stops without the database", func() bool { return at[1].Load() == 0 })
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "it goes on with it", func() bool { return at[1].Load() == 2 })
	if at[2].Load() != 0 || nodes[2].leads() {
		t.Error("a tracker does what is scheduled")
	}
}

// TestAloneItLeads has nobody ask the database who leads where nobody else can.
func TestAloneItLeads(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Embedded, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := &app{db: db}
	var once sync.Once
	ran := make(chan struct{})
	a.scheduled("work", func(ctx context.Context) { once.Do(func() { close(ran) }); <-ctx.Done() })
	<-ran
	if err := a.life.stop(10 * time.Second); err != nil || !a.leads() {
		t.Error(err)
	}
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}
