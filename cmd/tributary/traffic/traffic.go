package traffic

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// A Kind is one sort of visitor.
type Kind struct {
	Share     int    `json:"share"` // of 100 hits
	UserAgent string `json:"user_agent"`
	Referer   string `json:"referer,omitempty"`
	Language  string `json:"language,omitempty"`
	Country   string `json:"country"`
	Network   string `json:"network"` // the first half of its IPv4 addresses
}

//go:embed kinds.json
var kindsJSON []byte

// A Mix draws visitors by their share. It belongs to one goroutine.
type Mix struct {
	random  *rand.Rand
	byShare []Kind
}

// NewMix makes a mix; equal seeds make equal ones.
func NewMix(seed uint64) (*Mix, error) {
	var kinds []Kind
	if err := json.Unmarshal(kindsJSON, &kinds); err != nil {
		return nil, fmt.Errorf("read the kinds of visitors: %w", err)
	}
	m := &Mix{random: rand.New(rand.NewPCG(seed, seed))}
	for _, kind := range kinds {
		for range kind.Share {
			m.byShare = append(m.byShare, kind)
		}
	}
	return m, nil
}

// Visitor draws a visitor and an address of its network.
func (m *Mix) Visitor() (kind Kind, address string) {
	kind = m.byShare[m.random.IntN(len(m.byShare))]
	return kind, fmt.Sprintf("%s.%d.%d", kind.Network, m.random.IntN(256), 1+m.random.IntN(254))
}

// Rand is the mix's own source of chance, for what else the caller draws.
func (m *Mix) Rand() *rand.Rand { return m.random }
