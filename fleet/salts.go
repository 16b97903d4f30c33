package fleet

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Salts are the visitor salts nodes have agreed on, in Redis until their time is
// over. They are sealed: whoever reads Redis, or a copy of what it wrote to disk,
// learns nothing without the installation's secrets.
type Salts struct {
	client *Client
	seal   cipher.AEAD
}

// ErrOtherSecrets says that another node sealed a salt with other secrets.
var ErrOtherSecrets = errors.New("another node has other secrets: give every node of the installation the same secrets.json")

// NewSalts makes the Salts of an installation, sealed with a key of 32 bytes that
// follows from its secrets and serves nothing else.
func (c *Client) NewSalts(key []byte) (*Salts, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal of visitor salts: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal of visitor salts: %w", err)
	}
	return &Salts{c, seal}, nil
}

// Agree offers a salt for a day, in days since the Unix epoch, and returns the
// one all nodes use: the first that was offered. Redis forgets it at a time.
func (s *Salts) Agree(ctx context.Context, day int64, offer []byte, forgetMs int64) ([]byte, error) {
	client, err := s.client.Redis()
	if err != nil {
		return nil, fmt.Errorf("agree on the visitor salt: %w", err)
	}
	key := s.client.SpreadKey("salt:" + strconv.FormatInt(day, 10))
	pipeline := client.Pipeline()
	offered := pipeline.SetArgs(ctx, key, s.sealed(day, offer), redis.SetArgs{Mode: "NX", ExpireAt: time.UnixMilli(forgetMs)})
	agreed := pipeline.Get(ctx, key)
	_, _ = pipeline.Exec(ctx) // each answer has its error
	if err := offered.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("agree on the visitor salt: %w", err)
	}
	text, err := agreed.Bytes()
	if err != nil {
		return nil, fmt.Errorf("agree on the visitor salt: %w", err)
	}
	return s.open(day, text)
}

func (s *Salts) sealed(day int64, salt []byte) []byte {
	nonce := make([]byte, s.seal.NonceSize())
	rand.Read(nonce) // never fails: the runtime ends the process instead
	return s.seal.Seal(nonce, nonce, salt, dayText(day))
}

func (s *Salts) open(day int64, text []byte) ([]byte, error) {
	size := s.seal.NonceSize()
	if len(text) < size {
		return nil, fmt.Errorf("agree on the visitor salt: %w", ErrOtherSecrets)
	}
	salt, err := s.seal.Open(nil, text[:size], text[size:], dayText(day))
	if err != nil {
		return nil, fmt.Errorf("agree on the visitor salt: %w", ErrOtherSecrets)
	}
	return salt, nil
}

// dayText binds a sealed salt to its day.
func dayText(day int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(day)) }
