package main

import (
	"context"
	"time"

	"tributary/redirect/visitor"
)

// saltsTurnEvery is how often visitor salts are looked at: with it, docs promise that
// they are forgotten within two minutes of their time.
const saltsTurnEvery = time.Minute

// openSalts opens the visitor salts and forgets them in time, whether or not anybody
// clicks.
func (a *app) openSalts() (err error) {
	if a.salts, err = visitor.OpenSalts(a.dir.file(saltsFile), a.now().UnixMilli()); err != nil {
		return err
	}
	a.life.background("visitor salts", func(ctx context.Context) {
		a.every(ctx, saltsTurnEvery, "the visitor salts could not be written: old ones stay on disk until they are, and a restart may count visitors twice", func(context.Context) error {
			return a.salts.Turn(a.now().UnixMilli())
		})
	})
	return nil
}

// forgetSalts removes those of a node that was a tracker and is none any more.
func (a *app) forgetSalts() error { return visitor.Remove(a.dir.file(saltsFile)) }
