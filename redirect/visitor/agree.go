package visitor

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
)

// An Agreement is where trackers find the salts they all use.
type Agreement interface {
	// Agree offers a salt for a day, in days since the Unix epoch, and returns the
	// one all trackers use: the first that was offered. It is forgotten at a time.
	Agree(ctx context.Context, day int64, offer []byte, forgetMs int64) ([]byte, error)
}

// agreeAhead is how long before midnight trackers agree on the next day's salt, so
// that all of them turn to it at once, whether or not they can talk at that moment.
const agreeAhead = 60 * 60 * 1000

// Agree brings the salts in line with the other trackers': it offers today's, and
// in the last hour of a day tomorrow's, and takes what they use where that is
// another. The salt it had in use goes on matching for one window, so that nobody
// who was here counts again (somebody may, when it has to change twice in a window:
// Redis lost what was agreed on, and a new tracker was faster than those who knew). It is to be called again and again; as long as it
// fails, the salts stay this tracker's own. Calls do not overlap.
func (s *Salts) Agree(ctx context.Context, with Agreement, nowMs int64) error {
	_ = s.Turn(nowMs) // salts that cannot be written are in use all the same; who calls Turn by itself tells
	was := s.current.Load()
	today, err := agreed(ctx, with, was.day, was.today)
	if err != nil {
		return err
	}
	if today != was.today {
		if err := s.change(was, func(next *saltDay) {
			next.earlier = append(still(was.earlier, nowMs), earlierSalt{was.today, nowMs + Window})
			slices.SortStableFunc(next.earlier, func(a, b earlierSalt) int { return cmp.Compare(a.untilMs, b.untilMs) })
			next.today = today
		}); err != nil {
			return err
		}
	}
	if nowMs/dayMs == was.day && nowMs%dayMs >= dayMs-agreeAhead {
		return s.agreeOnNext(ctx, with)
	}
	return nil
}

// agreeOnNext offers the salt of tomorrow: the one it knows, so that all keep it
// even where it was lost meanwhile, or a new one.
func (s *Salts) agreeOnNext(ctx context.Context, with Agreement) error {
	was := s.current.Load()
	var offer salt
	if was.next != nil {
		offer = *was.next
	} else {
		rand.Read(offer[:]) // never fails: the runtime ends the process instead
	}
	next, err := agreed(ctx, with, was.day+1, offer)
	if err != nil || was.next != nil && *was.next == next {
		return err
	}
	return s.change(was, func(day *saltDay) { day.next = &next })
}

// agreed offers a salt, to be forgotten after the next day's first window.
func agreed(ctx context.Context, with Agreement, day int64, offer salt) (salt, error) {
	text, err := with.Agree(ctx, day, offer[:], (day+1)*dayMs+Window)
	if err != nil {
		return salt{}, err
	}
	if len(text) != len(salt{}) {
		return salt{}, fmt.Errorf("the visitor salt agreed on has %d bytes", len(text))
	}
	return salt(text), nil
}

// change puts salts that differ from those in use into use, unless others came into
// use meanwhile: then the next Agree does.
func (s *Salts) change(was *saltDay, edit func(*saltDay)) error {
	s.turning.Lock()
	defer s.turning.Unlock()
	if s.current.Load() != was {
		return nil
	}
	next := *was
	edit(&next)
	return s.use(&next)
}
