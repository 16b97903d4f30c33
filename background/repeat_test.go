package background

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A try is what one time of repeated work comes to.
type try struct {
	more bool
	err  error
}

// script repeats tries and says when each began and which failures were told. A
// pace that can be woken is, once, from the beginning.
func script(t *testing.T, pace Pace, tries ...try) string {
	t.Helper()
	var said []string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		if pace.Wake != nil {
			woken := make(chan struct{}, 1) // of the test's own time
			woken <- struct{}{}
			close(woken) // it wakes once more and is then left alone
			pace.Wake = woken
		}
		Repeat(ctx, pace, func(err error) { said = append(said, err.Error()) }, func(context.Context) (bool, error) {
			said = append(said, fmt.Sprint(int(time.Since(began)/time.Second)))
			next := tries[0]
			if tries = tries[1:]; len(tries) == 0 {
				cancel()
			}
			return next.more, next.err
		})
	})
	return strings.Join(said, " ")
}

func TestRepeat(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	const s = time.Second
	for _, c := range []struct {
		name  string
		pace  Pace
		tries []try
		want  string
	}{
		{"rests", Pace{Every: s}, []try{{}, {}, {}}, "0 1 2"},
		{"goes on while there is more", Pace{Every: s}, []try{{more: true}, {more: true}, {}, {}}, "0 0 0 1"},
		{"tells a failure once", Pace{Every: s}, []try{{err: a}, {err: a}, {err: b}, {err: a}, {}}, "0 a 1 2 b 3 a 4"},
		{"tells it again once it worked", Pace{Every: s}, []try{{err: a}, {}, {err: a}, {}}, "0 a 1 2 a 3"},
		{"rests after a failure even with more to do", Pace{Every: s}, []try{{true, a}, {}}, "0 a 1"},
		{"waits longer each time", Pace{Every: s, Most: 5 * s}, []try{{err: a}, {err: a}, {err: a}, {err: a}, {err: a}, {}, {err: a}, {}}, "0 a 1 3 7 12 17 18 a 19"},
		{"waits otherwise after a failure", Pace{Every: 9 * s, Again: s, Most: 2 * s}, []try{{err: a}, {err: a}, {err: a}, {}, {}}, "0 a 1 3 5 14"},
		{"says nothing of what the end cut short", Pace{Every: s}, []try{{}, {err: a}}, "0 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := script(t, c.pace, c.tries...); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestRepeatIsWokenButNotAfterAFailure(t *testing.T) {
	if got := script(t, Pace{Every: time.Second, Wake: make(chan struct{}, 1)}, try{err: errors.New("a")}, try{}, try{}, try{}, try{}); got != "0 a 1 1 1 2" {
		t.Errorf("it was done at %s", got)
	}
}

func TestRepeatDoesNothingOnceItIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	Repeat(ctx, Pace{}, func(error) {}, func(context.Context) (bool, error) {
		t.Error("it began")
		return false, nil
	})
}
