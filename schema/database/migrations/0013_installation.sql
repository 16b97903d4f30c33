-- What all nodes of an installation must have alike: fingerprints of its secrets, of which they reveal nothing.
CREATE TABLE installation (
  name        TEXT PRIMARY KEY, -- pepper, or click key N
  fingerprint TEXT NOT NULL,
  at_ms       BIGINT NOT NULL   -- when a node had it first
);

-- The nodes that ever were, by their click spool, and how far each has handed on what it received. Reports reach as far as
-- the node that is furthest behind; one that stopped with nothing left holds nobody back.
CREATE TABLE nodes (
  id                 TEXT PRIMARY KEY,
  machine            TEXT NOT NULL,
  roles              TEXT NOT NULL,
  seen_ms            BIGINT NOT NULL,
  clicks_waiting     BIGINT NOT NULL,
  reports_waiting    BIGINT NOT NULL,
  clicks_through_ms  BIGINT NOT NULL, -- clicks received before are in ClickHouse
  reports_through_ms BIGINT NOT NULL, -- reports of merchants received before are settled
  quarantined        BIGINT NOT NULL  -- clicks that were ever put aside on its disk
);
