package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestComparisonFindsWhatIsOff: the checker can fail. Ten events are sent, the
// last of them is never answered, and one place holds them wrongly.
func TestComparisonFindsWhatIsOff(t *testing.T) {
	answer := func(n int) string { return fmt.Sprint("answer ", n) }
	all := func(c *comparison, without int) {
		for n := range 9 {
			if n != without {
				c.row(n, answer(n))
			}
		}
	}
	for name, test := range map[string]struct {
		find                    func(*comparison)
		lost, doubled, invented int
		example                 string
	}{
		"nothing":                       {func(c *comparison) { all(c, -1) }, 0, 0, 0, ""},
		"the unanswered one is there":   {func(c *comparison) { all(c, -1); c.row(9, "whatever") }, 0, 0, 0, ""},
		"one is lost":                   {func(c *comparison) { all(c, 4) }, 1, 0, 0, "number 4 was acknowledged and is not there"},
		"all are lost":                  {func(*comparison) {}, 9, 0, 0, "number 0 was acknowledged"},
		"one is doubled":                {func(c *comparison) { all(c, -1); c.row(3, answer(3)) }, 0, 1, 0, "number 3 is there twice"},
		"the unanswered one is doubled": {func(c *comparison) { all(c, -1); c.row(9, "a"); c.row(9, "b") }, 0, 1, 0, "number 9 is there twice"},
		"one was never sent":            {func(c *comparison) { all(c, -1); c.row(10, answer(10)) }, 0, 0, 1, "number 10 was never sent"},
		"one has no number":             {func(c *comparison) { all(c, -1); c.foreign(1) }, 0, 0, 1, "1 rows have no number"},
		"one has another's answer":      {func(c *comparison) { all(c, 5); c.row(5, answer(6)) }, 1, 0, 1, "number 5 is there as answer 6"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal()
			for n := range 10 {
				if got := j.send(); got != n {
					t.Fatalf("event %d has number %d", n, got)
				}
			}
			for n := range 9 {
				j.acknowledge(n, answer(n), false)
			}
			c := j.compare("clicks")
			test.find(c)
			lost, _ := c.lost()
			if lost != test.lost || c.doubled != test.doubled || c.invented != test.invented {
				t.Errorf("lost %d, doubled %d, invented %d; want %d, %d, %d", lost, c.doubled, c.invented, test.lost, test.doubled, test.invented)
			}
			if said := strings.Join(c.examples, "\n"); (said == "") != (test.example == "") || !strings.Contains(said, test.example) {
				t.Errorf("it says %q, want %q", said, test.example)
			}
		})
	}
}

// TestAverdictNeedsEverythingToHold: whatever a comparison finds breaks the
// experiment, and what the product itself called unrecorded does not.
func TestVerdictNeedsEverythingToHold(t *testing.T) {
	for name, test := range map[string]struct {
		lost, late, unrecorded, doubled, invented int
		held                                      bool
	}{
		"all is there":                  {held: true},
		"one is lost":                   {lost: 1},
		"one is lost and was told":      {lost: 1, unrecorded: 1, held: true},
		"two are lost and one was told": {lost: 2, unrecorded: 1},
		"one was told and is there":     {unrecorded: 1, held: true},
		"one is doubled":                {doubled: 1},
		"one is invented":               {invented: 1},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &trial{battery: &battery{log: t.Output()}, result: &result{}}
			tr.judge(&comparison{what: "clicks", doubled: test.doubled, invented: test.invented}, test.lost, test.unrecorded)
			if held := len(tr.result.Wrong) == 0; held != test.held {
				t.Errorf("held %v: %v", held, tr.result.Wrong)
			}
		})
	}
}
