-- The catalog: advertisers, creators, campaigns, tasks, links, keys. "fields" holds what a client writes, as JSON;
-- other columns repeat what queries need of it. Times are milliseconds, 0 for never; money is minor units.

CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('change', 0), ('link', 0);

CREATE TABLE advertisers (
  id             TEXT PRIMARY KEY,
  fields         TEXT NOT NULL,
  public_key     TEXT NOT NULL UNIQUE,
  search         TEXT NOT NULL,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0,
  changed        BIGINT NOT NULL
);
CREATE UNIQUE INDEX advertisers_changed ON advertisers (changed);

CREATE TABLE creators (
  id             TEXT PRIMARY KEY,
  fields         TEXT NOT NULL,
  country        TEXT NOT NULL,
  labels         TEXT NOT NULL, -- each between line feeds
  search         TEXT NOT NULL,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE terms_templates (
  id             TEXT PRIMARY KEY,
  fields         TEXT NOT NULL,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE campaigns (
  id                       TEXT PRIMARY KEY,
  advertiser_id            TEXT NOT NULL REFERENCES advertisers (id),
  fields                   TEXT NOT NULL, -- without terms
  kind                     TEXT NOT NULL,
  platforms                TEXT NOT NULL, -- each between line feeds
  visibility               TEXT NOT NULL,
  currency                 TEXT NOT NULL,
  timezone                 TEXT NOT NULL,
  search                   TEXT NOT NULL,
  destination              TEXT NOT NULL,
  tracking                 BIGINT NOT NULL,
  starts_at_ms             BIGINT NOT NULL,
  ends_at_ms               BIGINT NOT NULL,
  approved_at_ms           BIGINT NOT NULL DEFAULT 0,
  paused_at_ms             BIGINT NOT NULL DEFAULT 0,
  closed_at_ms             BIGINT NOT NULL DEFAULT 0,
  over_budget              BIGINT NOT NULL DEFAULT 0, -- the ledger's, like committed_minor
  budget_minor             BIGINT, -- NULL: none
  budget_mode              TEXT NOT NULL DEFAULT '',
  committed_minor          BIGINT NOT NULL DEFAULT 0,
  told_percent             BIGINT NOT NULL DEFAULT 0, -- the ledger's: the highest part of a budget that was told of,
  told_of_minor            BIGINT NOT NULL DEFAULT 0, -- and that budget
  max_creator_payout_minor BIGINT, -- NULL: none
  margin_millionths        BIGINT NOT NULL,
  agency_margin_millionths BIGINT NOT NULL,
  terms_version            BIGINT NOT NULL,
  created_at_ms            BIGINT NOT NULL,
  updated_at_ms            BIGINT NOT NULL,
  archived_at_ms           BIGINT NOT NULL DEFAULT 0,
  changed                  BIGINT NOT NULL
);
CREATE INDEX campaigns_advertiser ON campaigns (advertiser_id, id);
CREATE UNIQUE INDEX campaigns_changed ON campaigns (changed);

-- Terms in force from valid_from_ms until the next version's.
CREATE TABLE campaign_terms (
  campaign_id   TEXT NOT NULL REFERENCES campaigns (id),
  version       BIGINT NOT NULL,
  valid_from_ms BIGINT NOT NULL,
  terms         TEXT NOT NULL,
  PRIMARY KEY (campaign_id, version)
);

-- What a campaign's state was from at_ms on.
CREATE TABLE campaign_events (
  campaign_id  TEXT NOT NULL REFERENCES campaigns (id),
  number       BIGINT NOT NULL,
  at_ms        BIGINT NOT NULL,
  event        TEXT NOT NULL,
  approved     BIGINT NOT NULL,
  paused       BIGINT NOT NULL,
  closed       BIGINT NOT NULL,
  starts_at_ms BIGINT NOT NULL,
  ends_at_ms   BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, number)
);

CREATE TABLE participations (
  campaign_id   TEXT NOT NULL REFERENCES campaigns (id),
  creator_id    TEXT NOT NULL REFERENCES creators (id),
  fields        TEXT NOT NULL,
  status        TEXT NOT NULL,
  joined_at_ms  BIGINT NOT NULL DEFAULT 0, -- of the latest time it joined
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, creator_id)
);
CREATE INDEX participations_creator ON participations (creator_id, campaign_id);

-- What a participation was from at_ms on.
CREATE TABLE participation_events (
  campaign_id TEXT NOT NULL,
  creator_id  TEXT NOT NULL,
  number      BIGINT NOT NULL,
  at_ms       BIGINT NOT NULL,
  fields      TEXT NOT NULL,
  PRIMARY KEY (campaign_id, creator_id, number),
  FOREIGN KEY (campaign_id, creator_id) REFERENCES participations (campaign_id, creator_id)
);

CREATE TABLE tasks (
  id             TEXT PRIMARY KEY,
  campaign_id    TEXT NOT NULL REFERENCES campaigns (id),
  creator_id     TEXT NOT NULL REFERENCES creators (id),
  advertiser_id  TEXT NOT NULL,
  platform       TEXT NOT NULL,
  status         TEXT NOT NULL,
  fee_minor      BIGINT NOT NULL,
  due_at_ms      BIGINT NOT NULL, -- 0: never
  fields         TEXT NOT NULL,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tasks_campaign ON tasks (campaign_id, id);
CREATE INDEX tasks_creator ON tasks (creator_id, id);
CREATE INDEX tasks_advertiser ON tasks (advertiser_id, id);

CREATE TABLE links (
  number         BIGINT PRIMARY KEY, -- sealed into click ids
  id             TEXT NOT NULL UNIQUE,
  slug           TEXT NOT NULL,
  vanity         BIGINT NOT NULL,
  task_id        TEXT NOT NULL REFERENCES tasks (id),
  campaign_id    TEXT NOT NULL,
  creator_id     TEXT NOT NULL,
  advertiser_id  TEXT NOT NULL,
  platform       TEXT NOT NULL,
  currency       TEXT NOT NULL, -- the campaign's, which never changes
  post_id        TEXT NOT NULL,
  destination    TEXT NOT NULL, -- empty: the campaign's
  label          TEXT NOT NULL,
  options        TEXT NOT NULL, -- JSON of sub, rules, split, expiry and limit; empty when there are none
  disabled       BIGINT NOT NULL,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0, -- deleted: its slug stays taken, so that it never leads to another
  changed        BIGINT NOT NULL
);
CREATE UNIQUE INDEX links_slug ON links (lower(slug));
CREATE UNIQUE INDEX links_changed ON links (changed);
CREATE INDEX links_task ON links (task_id, number);
CREATE INDEX links_campaign ON links (campaign_id, number);
CREATE INDEX links_creator ON links (creator_id, number);
CREATE INDEX links_label ON links (label, number) WHERE label <> '';
CREATE INDEX links_advertiser ON links (advertiser_id, number);

CREATE TABLE keys (
  id              TEXT PRIMARY KEY,
  role            TEXT NOT NULL,
  advertiser_id   TEXT NOT NULL,
  creator_id      TEXT NOT NULL,
  fields          TEXT NOT NULL,
  secret_hash     TEXT NOT NULL UNIQUE, -- HMAC-SHA256 under the pepper
  expires_at_ms   BIGINT NOT NULL,
  last_used_at_ms BIGINT NOT NULL DEFAULT 0,
  created_at_ms   BIGINT NOT NULL,
  updated_at_ms   BIGINT NOT NULL,
  archived_at_ms  BIGINT NOT NULL DEFAULT 0,
  changed         BIGINT NOT NULL
);
CREATE UNIQUE INDEX keys_changed ON keys (changed);

-- What an advertiser's reports are signed or recognised by, beside ingest keys.
CREATE TABLE secrets (
  id             TEXT PRIMARY KEY,
  advertiser_id  TEXT NOT NULL REFERENCES advertisers (id),
  kind           TEXT NOT NULL, -- hmac or postback
  fields         TEXT NOT NULL,
  kept           TEXT NOT NULL, -- hmac: the secret, sealed; postback: HMAC-SHA256 under the pepper
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0,
  changed        BIGINT NOT NULL
);
CREATE UNIQUE INDEX secrets_changed ON secrets (changed);
CREATE INDEX secrets_advertiser ON secrets (advertiser_id, id);

CREATE TABLE idempotency (
  owner        TEXT NOT NULL, -- a key's id
  key          TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  status       BIGINT NOT NULL,
  body         TEXT NOT NULL,
  at_ms        BIGINT NOT NULL,
  PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_at ON idempotency (at_ms);

CREATE TABLE audit_log (
  number        BIGINT PRIMARY KEY, -- the write's change number
  at_ms         BIGINT NOT NULL,
  key_id        TEXT NOT NULL,
  role          TEXT NOT NULL,
  verb          TEXT NOT NULL,
  thing         TEXT NOT NULL,
  thing_id      TEXT NOT NULL,
  advertiser_id TEXT NOT NULL,
  fields        TEXT NOT NULL -- names of the fields that changed, each between line feeds
);
CREATE INDEX audit_log_thing ON audit_log (thing_id, number);
CREATE INDEX audit_log_advertiser ON audit_log (advertiser_id, number);
