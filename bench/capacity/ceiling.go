package capacity

import (
	"cmp"
	"slices"
)

// A Ceiling is the rate of clicks at which a part has no time left, everything else
// of the load growing with it.
type Ceiling struct {
	Part            Part
	ClicksPerSecond float64
}

// mostClicks is where the search for a ceiling ends: a part that bears more is not
// what limits anybody.
const mostClicks = 1e9

// Ceilings returns the ceiling of each part, the lowest first. The load says how
// many conversions come with a click; its reports and changes stay as they are.
func Ceilings(c *Costs, i Installation, load Load) []Ceiling {
	var ceilings []Ceiling
	for part, use := range i.Use(c, load) {
		if use == 0 {
			continue
		}
		low, high := 0.0, mostClicks
		for high-low > 1e-6*high {
			middle := (low + high) / 2
			if i.Use(c, load.times(middle/load.Clicks))[part] > 1 {
				high = middle
			} else {
				low = middle
			}
		}
		ceilings = append(ceilings, Ceiling{part, low})
	}
	slices.SortFunc(ceilings, func(a, b Ceiling) int {
		return cmp.Or(cmp.Compare(a.ClicksPerSecond, b.ClicksPerSecond), cmp.Compare(a.Part, b.Part))
	})
	return ceilings
}
