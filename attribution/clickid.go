package attribution

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// A click id answers for itself: whoever holds the keys reads the link, the time
// and the verdict out of it and asks no store.
//
//	byte  0      version
//	bytes 1–6    milliseconds since the Unix epoch, big endian
//	byte  7      key id
//	bytes 8–23   sealed: link number (6 bytes), verdict and whether it came from paid
//	             search (its highest bit), why it cannot earn, a tag of the network (2
//	             bytes), 48 random bits
//	bytes 24–31  MAC over bytes 0–23
//
// The sealed part is one AES-128 block under the key's first half. It holds 48
// random bits, so equal links and verdicts never look alike: a bot cannot read
// its verdict. The MAC is AES-CBC-MAC under the key's second half, cut to 64
// bits; CBC-MAC is a pseudo-random function on messages of one fixed length
// (Bellare, Kilian, Rogaway 2000), and every version has one. AES is in the
// standard library and in the processor.
//
// The text form is base 64 over an alphabet in ASCII order, so that click ids
// sort by time.
const (
	clickIDVersion  = 0xb6
	clickIDBytes    = 32
	ClickIDLength   = 43
	ClickKeyBytes   = 32
	maxLinkNumber   = 1<<48 - 1
	clickRandomBits = 48
	sealedStart     = 8
	clickIDMACStart = 24
)

var clickIDText = base64.NewEncoding("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz").WithPadding(base64.NoPadding).Strict()

// ErrClickForged is returned for a click id that was not minted under any of
// the keys, or was altered since.
var ErrClickForged = errors.New("click id is forged or altered")

// A ClickToken is what a click id says.
type ClickToken struct {
	AtMs      int64
	Link      uint64 // the link's number in the catalog
	Verdict   Verdict
	Unpayable Unpayable // as the tracker saw it at the click
	// PaidSearch says that the click carried a parameter of paid search.
	PaidSearch bool
	// Network is NetworkTag of where the click came from; 0 is not known.
	Network uint16
}

// paidSearchBit is beside the verdict in its byte.
const paidSearchBit = 0x80

type clickKey struct{ seal, mac cipher.Block }

// A ClickKeyring holds the keys click ids are minted and verified with. It is
// safe for concurrent use.
type ClickKeyring struct {
	held atomic.Pointer[clickKeySet]
}

// A clickKeySet is what a keyring holds at a time; immutable.
type clickKeySet struct {
	current byte
	keys    [256]*clickKey
}

// NewClickKeyring makes a keyring that mints under the key named current and
// verifies under all of keys, each of ClickKeyBytes secret bytes.
func NewClickKeyring(current byte, keys map[byte][]byte) (*ClickKeyring, error) {
	set := &clickKeySet{current: current}
	for id, secret := range keys {
		if len(secret) != ClickKeyBytes {
			return nil, fmt.Errorf("click key %d has %d bytes, want %d", id, len(secret), ClickKeyBytes)
		}
		seal, err := aes.NewCipher(secret[:16])
		if err != nil {
			return nil, err
		}
		mac, err := aes.NewCipher(secret[16:])
		if err != nil {
			return nil, err
		}
		set.keys[id] = &clickKey{seal: seal, mac: mac}
	}
	if set.keys[current] == nil {
		return nil, fmt.Errorf("click key %d, named current, is missing", current)
	}
	ring := &ClickKeyring{}
	ring.held.Store(set)
	return ring, nil
}

// Replace has the keyring mint and verify with the keys of another from now on.
func (r *ClickKeyring) Replace(with *ClickKeyring) { r.held.Store(with.held.Load()) }

// Current is the id of the key that click ids are minted under.
func (r *ClickKeyring) Current() byte { return r.held.Load().current }

// A ClickMinter mints and opens click ids without allocating. It belongs to one
// goroutine at a time.
type ClickMinter struct {
	raw, mac [clickIDBytes]byte
}

// Append appends the text of a new click id to dst. random makes it unique
// among the clicks of one link in one millisecond.
func (m *ClickMinter) Append(dst []byte, ring *ClickKeyring, token ClickToken, random uint64) []byte {
	held := ring.held.Load()
	key := held.keys[held.current]
	raw := &m.raw
	binary.BigEndian.PutUint64(raw[:8], uint64(token.AtMs)<<8|uint64(held.current))
	raw[0] = clickIDVersion
	verdict := uint64(token.Verdict)
	if token.PaidSearch {
		verdict |= paidSearchBit
	}
	binary.BigEndian.PutUint64(raw[8:], token.Link<<16|verdict<<8|uint64(token.Unpayable))
	binary.BigEndian.PutUint64(raw[16:], uint64(token.Network)<<clickRandomBits|random&(1<<clickRandomBits-1))
	key.seal.Encrypt(raw[sealedStart:clickIDMACStart], raw[sealedStart:clickIDMACStart])
	copy(raw[clickIDMACStart:], m.macOf(key))
	return clickIDText.AppendEncode(dst, raw[:])
}

// Open reads a click id, or returns ErrClickForged.
func (m *ClickMinter) Open(ring *ClickKeyring, id []byte) (ClickToken, error) {
	if len(id) != ClickIDLength {
		return ClickToken{}, ErrClickForged
	}
	raw := &m.raw
	// Decode passes over line breaks, which then stand in the place of a character.
	if n, err := clickIDText.Decode(raw[:], id); err != nil || n != clickIDBytes || raw[0] != clickIDVersion {
		return ClickToken{}, ErrClickForged
	}
	key := ring.held.Load().keys[raw[7]]
	if key == nil || subtle.ConstantTimeCompare(m.macOf(key), raw[clickIDMACStart:]) != 1 {
		return ClickToken{}, ErrClickForged
	}
	key.seal.Decrypt(raw[sealedStart:clickIDMACStart], raw[sealedStart:clickIDMACStart])
	sealed := binary.BigEndian.Uint64(raw[8:])
	token := ClickToken{
		AtMs:       int64(binary.BigEndian.Uint64(raw[:8]) << 8 >> 16),
		Link:       sealed >> 16,
		Verdict:    Verdict(sealed>>8) &^ paidSearchBit,
		Unpayable:  Unpayable(sealed),
		PaidSearch: sealed>>8&paidSearchBit != 0,
		Network:    uint16(binary.BigEndian.Uint64(raw[16:]) >> clickRandomBits),
	}
	if token.Verdict >= verdictCount || token.Unpayable >= unpayableCount {
		return ClickToken{}, ErrClickForged
	}
	return token, nil
}

// OpenClickID reads a click id, or returns ErrClickForged.
func (r *ClickKeyring) OpenClickID(id string) (ClickToken, error) {
	var m ClickMinter
	return m.Open(r, []byte(id))
}

// macOf computes the MAC of the first 24 bytes of m.raw: two blocks, the second
// padded with zeros.
func (m *ClickMinter) macOf(key *clickKey) []byte {
	block := m.mac[:16]
	copy(block, m.raw[:16])
	key.mac.Encrypt(block, block)
	for i, b := range m.raw[16:clickIDMACStart] {
		block[i] ^= b
	}
	key.mac.Encrypt(block, block)
	return block[:clickIDBytes-clickIDMACStart]
}
