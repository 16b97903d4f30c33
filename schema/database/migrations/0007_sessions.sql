-- Browsers that are signed in with a key. Of a session's token only a keyed hash is kept.

CREATE TABLE sessions (
  token_hash    TEXT PRIMARY KEY,
  key_id        TEXT NOT NULL REFERENCES keys (id),
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL -- moves on while the session is used
);
CREATE INDEX sessions_key ON sessions (key_id, created_at_ms);
CREATE INDEX sessions_expiry ON sessions (expires_at_ms);
