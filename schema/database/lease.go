package database

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tributary/background"
)

// The times of a lease. A holder that dies is followed within leaseStale and two
// looks; one that cannot renew stops well before others may take over.
const (
	leaseInterval = 2 * time.Second // between renewals, and between looks
	leaseTrust    = 5 * time.Second // a holder trusts its last renewal
	leaseStale    = 7 * time.Second // others have seen the same beat for
)

// A Lease has one process at a time do some work. It compares no clocks: a holder
// counts beats, and another takes over when it has seen the same beat for too long
// by its own clock. Two may still hold it for a moment, when the first was paused
// and has not noticed yet: the work itself must bear that.
//
// Where no other process can use the database, as with SQLite, it is always held
// and nothing is written.
type Lease struct {
	db     *DB
	name   string
	holder string

	// Run's alone.
	term     int64 // of this process's latest hold; 0: it never held it
	seenTerm int64 // of another, as last looked at
	seenBeat int64
	seenAt   time.Time

	mu    sync.Mutex
	until time.Time // it is trusted to be held; zero: it is not
}

// Lease makes a lease of a name that the table leases has. holder names this node
// among all, the same in each of its lives: its own lease it takes back at once.
func (db *DB) Lease(name, holder string) *Lease {
	return &Lease{db: db, name: name, holder: holder, seenBeat: -1}
}

// Held reports whether this process may do the work now. It turns false by itself
// when the lease could not be renewed in time.
func (l *Lease) Held() bool {
	if !l.db.Shared() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until)
}

// Run takes the lease when it is free and renews it, until ctx ends; then it is
// given up. A database that fails is waited for; the same failure is told once.
func (l *Lease) Run(ctx context.Context, failed func(error)) {
	if !l.db.Shared() || l.db.Await(ctx) != nil {
		return
	}
	background.Repeat(ctx, background.Pace{Every: leaseInterval}, failed, func(ctx context.Context) (more bool, err error) { return false, l.step(ctx) })
	if l.Held() {
		l.trust(time.Time{})
		_, _ = l.exec(context.WithoutCancel(ctx), "lease.give_up", time.Now().UnixMilli(), l.name, l.term) // if not, others wait until it is stale
	}
}

// step renews the lease, or looks whether it can be had.
func (l *Lease) step(ctx context.Context) error {
	began := time.Now() // what the database says is no older
	if l.term > 0 {
		renewed, err := l.exec(ctx, "lease.renew", began.UnixMilli(), l.name, l.term)
		if err != nil {
			return err
		}
		if renewed {
			l.trust(began.Add(leaseTrust))
			return nil
		}
		l.term = 0 // another took it
		l.trust(time.Time{})
	}
	holder, term, beat, err := l.look(ctx)
	if err != nil {
		return err
	}
	if term != l.seenTerm || beat != l.seenBeat {
		l.seenTerm, l.seenBeat, l.seenAt = term, beat, began
	}
	if holder != "" && holder != l.holder && began.Sub(l.seenAt) < leaseStale {
		return nil
	}
	taken, err := l.exec(ctx, "lease.take", l.holder, began.UnixMilli(), l.name, term, beat)
	if err == nil && taken {
		l.term = term + 1
		l.trust(began.Add(leaseTrust))
	}
	return err
}

func (l *Lease) trust(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
}

// look and exec have a connection of their own: a lease must not be lost because
// writers queue.
func (l *Lease) look(ctx context.Context) (holder string, term, beat int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseInterval)
	defer cancel()
	err = l.db.migrator.QueryRowContext(ctx, l.db.queries.text("lease.look"), l.name).Scan(&holder, &term, &beat)
	if err != nil {
		err = fmt.Errorf("database: looking at the lease %s: %w", l.name, err)
	}
	return holder, term, beat, err
}

func (l *Lease) exec(ctx context.Context, query string, args ...any) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseInterval)
	defer cancel()
	result, err := l.db.migrator.ExecContext(ctx, l.db.queries.text(query), args...)
	if err != nil {
		return false, fmt.Errorf("database: query %s: %w", query, err)
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}
