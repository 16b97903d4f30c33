package catalog

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tributary/attribution"
	"tributary/schema/database"
)

// The bounds of sessions.
const (
	// SessionIdle is how long a session lives without being used.
	SessionIdle = 12 * time.Hour
	// SessionLife is how long a session lives however much it is used.
	SessionLife = 14 * 24 * time.Hour
	// MaxSessions of one key; one more ends the oldest.
	MaxSessions = 20

	sessionRenewal    = 5 * time.Minute // how exactly a session's use is kept
	sessionCharacters = 43              // of base 62: 256 bits
)

// A Session is a browser that is signed in with a key, and may do what the key
// may. It ends with the key.
type Session struct {
	Scope     Scope
	Token     string // the browser's secret; kept as a keyed hash only
	CSRF      string // what the session's own pages say with every change
	ExpiresAt attribution.Instant
}

// SignIn begins a session with a key's secret. Sessions keep real time, which is
// given: a rehearsed clock ends none. A key that opens nothing is CodeUnauthorized;
// a key that only delivers conversions is CodeForbidden.
func (c *Catalog) SignIn(ctx context.Context, secret string, now time.Time) (Session, error) {
	scope, err := c.Authenticate(ctx, secret)
	if err != nil {
		return Session{}, err
	}
	if scope.Role == RoleIngest {
		return Session{}, forbidden(scope, "sign in: it only delivers conversions")
	}
	token, err := c.entropy.text(base62, sessionCharacters)
	if err != nil {
		return Session{}, err
	}
	at := attribution.InstantOf(now)
	session := c.session(scope, token, int64(at)+SessionIdle.Milliseconds())
	return session, c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "session.end_expired", int64(at)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "session.insert", c.secretHash(token), scope.KeyID, int64(at), int64(session.ExpiresAt)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "session.end_oldest", scope.KeyID, int64(MaxSessions))
		return err
	})
}

func (c *Catalog) session(scope Scope, token string, expiresAtMs int64) Session {
	return Session{Scope: scope, Token: token, CSRF: c.secretHash("csrf " + token), ExpiresAt: attribution.Instant(expiresAtMs)}
}

// Session finds the session of a token and keeps it alive. One that has ended, or
// whose key was revoked or has expired, is CodeUnauthorized.
func (c *Catalog) Session(ctx context.Context, token string, now time.Time) (Session, error) {
	ended := attribution.Refuse(CodeUnauthorized, "the session has ended: sign in again")
	if len(token) != sessionCharacters {
		return Session{}, ended
	}
	hash, at := c.secretHash(token), now.UnixMilli()
	var scope Scope
	var keyExpires, archived, created, expires int64
	err := c.db.Row(ctx, "session.by_token", hash).Scan(&scope.KeyID, &scope.Role, &scope.AdvertiserID, &scope.CreatorID,
		&keyExpires, &archived, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, ended
	}
	if err != nil {
		return Session{}, fmt.Errorf("catalog: reading a session: %w", err)
	}
	if archived != 0 || at >= expires || keyExpires != 0 && int64(c.instant()) >= keyExpires {
		return Session{}, ended
	}
	renewed := min(at+SessionIdle.Milliseconds(), created+SessionLife.Milliseconds())
	if renewed-expires >= sessionRenewal.Milliseconds() {
		c.renew(ctx, scope.KeyID, hash, renewed)
		expires = renewed
	}
	return c.session(scope, token, expires), nil
}

// renew notes a session's use. A database that cannot take the note does not end
// the session.
func (c *Catalog) renew(ctx context.Context, keyID, hash string, expiresAtMs int64) {
	err := c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "session.renew", hash, expiresAtMs)
		return err
	})
	if err != nil {
		c.log.Warn("the use of a session was not noted", "key_id", keyID, "error", err)
	}
}

// SignOut ends a session. One that has ended already is no error.
func (c *Catalog) SignOut(ctx context.Context, token string) error {
	return c.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.Exec(ctx, "session.end", c.secretHash(token))
		return err
	})
}

// OwnRequest reports whether a change was asked for by the session's own pages:
// they alone know its CSRF token.
func (s Session) OwnRequest(csrf string) bool {
	return s.CSRF != "" && subtle.ConstantTimeCompare([]byte(s.CSRF), []byte(csrf)) == 1
}
