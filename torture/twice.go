package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const secondsShort, secondsLong = 2, 20 // processes that come too late

// startedTwice starts more processes on a directory that is being served. Each is
// refused and says by whom, and nobody else notices.
func startedTwice(ctx context.Context, t *trial) error {
	w, err := t.begin(ctx, "data", nil)
	if err != nil {
		return err
	}
	s := w.server
	crowd, counter := t.gather(ctx, w, 4, 400), t.open(ctx, w)
	for range t.count(secondsShort, secondsLong) {
		if err := crowd.clicking(ctx, 50); err != nil {
			return err
		}
		if err := refused(ctx, t, s); err != nil {
			return err
		}
		t.result.Cycles++
	}
	if err := counter.taking(ctx, 20); err != nil {
		return err
	}
	crowd.disperse()
	counter.close()
	t.undisturbed(crowd)
	t.unexpected(crowd, counter)
	return t.reckon(ctx, w)
}

// refused starts a second process on the directory, with addresses of its own, and
// waits for its end.
func refused(ctx context.Context, t *trial, first *server) error {
	second := &server{t: t, data: first.data}
	for _, address := range []*string{&second.tracker, &second.admin} {
		var err error
		if *address, err = freeAddress(); err != nil {
			return err
		}
	}
	output, err := os.Create(filepath.Join(t.dir, "second.log"))
	if err != nil {
		return err
	}
	defer output.Close()
	l, err := second.begin(output)
	if err != nil {
		return err
	}
	err = within(ctx, 30*time.Second, func() error {
		select {
		case <-l.done:
			return nil
		default:
			return errors.New("the second process goes on")
		}
	})
	if err != nil {
		return errors.Join(err, l.cmd.Process.Kill())
	}
	said, err := os.ReadFile(output.Name())
	if err != nil {
		return err
	}
	if code := l.cmd.ProcessState.ExitCode(); code != 1 {
		t.wrong("the second process exits with %d", code)
	}
	if want := fmt.Sprintf("in use by process %d", first.pid()); !strings.Contains(string(said), want) {
		t.wrong("the second process does not say %q:\n%s", want, said)
	}
	return nil
}
