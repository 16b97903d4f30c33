package reports

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// A position is how far a stream has told: a sequence number of each node's log,
// and the number of an entry. A client has it sealed, because its numbers would
// tell one tenant how much traffic all of them have.
type position struct {
	AtMs  int64             `json:"t"` // the tracker's time, when it was current
	Nodes map[string]uint64 `json:"n"`
	Entry uint64            `json:"e"`
}

func (p *position) clone() *position {
	return &position{AtMs: p.AtMs, Nodes: maps.Clone(p.Nodes), Entry: p.Entry}
}

// parameters are the nodes and their numbers as ClickHouse takes them.
func (p *position) parameters(to map[string]string) {
	names, numbers := []string{}, "["
	for node, seq := range p.Nodes {
		if len(names) > 0 {
			numbers += ","
		}
		names = append(names, node)
		numbers += fmt.Sprint(seq)
	}
	to["nodes"], to["seqs"] = arrayParameter(names), numbers+"]"
}

func newSeal(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// write seals a position.
func (l *Live) write(p *position) string {
	nonce := make([]byte, l.seal.NonceSize(), 256)
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(l.seal.Seal(nonce, nonce, mustJSON(p), nil))
}

// read opens a position; it is nil for what was not written here.
func (l *Live) read(id string) *position {
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(id) > maxLiveIDBytes || len(sealed) < l.seal.NonceSize() {
		return nil
	}
	text, err := l.seal.Open(nil, sealed[:l.seal.NonceSize()], sealed[l.seal.NonceSize():], nil)
	if err != nil {
		return nil
	}
	p := new(position)
	if err := json.Unmarshal(text, p); err != nil {
		return nil
	}
	return p
}

// current reports whether everything after a position can still be told.
func (p *position) current(now time.Time) bool {
	return now.Sub(time.UnixMilli(p.AtMs)) < liveWindow
}
