package attribution

import "math"

// The attribution models.
const (
	ModelLast      = "last"
	ModelFirst     = "first"
	ModelLinear    = "linear"
	ModelPosition  = "position"
	ModelTimeDecay = "time_decay"
)

// halfLifeMs is the age at which a touch weighs half under time decay: 7 days.
const halfLifeMs = 7 * 24 * 60 * 60 * 1000

// decayScale is the precision of a time-decay weight: 10⁻¹².
const decayScale = 1_000_000_000_000

// creditWeights weighs touches, oldest first, under a model; a touch's credit is
// its weight over the sum of all. Zero is no credit.
func creditWeights(model string, touchedMs []int64, eventMs int64) []int64 {
	n := len(touchedMs)
	weights := make([]int64, n)
	switch model {
	case ModelFirst:
		weights[0] = 1
	case ModelLinear:
		for i := range weights {
			weights[i] = 1
		}
	case ModelPosition: // 40/20/40, two touches 50/50
		for i := range weights {
			weights[i] = 1
		}
		if n > 2 {
			weights[0], weights[n-1] = 2*int64(n-2), 2*int64(n-2)
		}
	case ModelTimeDecay:
		total := int64(0)
		for i, at := range touchedMs {
			weights[i] = int64(math.Round(decayScale * math.Exp2(-float64(eventMs-at)/halfLifeMs)))
			total += weights[i]
		}
		if total == 0 { // all older than the precision reaches: the latest has it
			weights[n-1] = 1
		}
	default: // ModelLast
		weights[n-1] = 1
	}
	return weights
}

// winnerOf is the touch with the greatest weight, ties to the later.
func winnerOf(weights []int64) int {
	winner := 0
	for i, w := range weights {
		if w >= weights[winner] {
			winner = i
		}
	}
	return winner
}
