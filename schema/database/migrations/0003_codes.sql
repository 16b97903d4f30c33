-- Referral codes. A code is an advertiser's for ever: a deleted one stays taken, so that it never earns for another.

CREATE TABLE codes (
  id             TEXT PRIMARY KEY,
  code           TEXT NOT NULL, -- as it was written; compared in lower case
  task_id        TEXT NOT NULL REFERENCES tasks (id),
  campaign_id    TEXT NOT NULL,
  creator_id     TEXT NOT NULL,
  advertiser_id  TEXT NOT NULL,
  platform       TEXT NOT NULL,
  starts_at_ms   BIGINT NOT NULL, -- 0: always was
  ends_at_ms     BIGINT NOT NULL, -- 0: never ends
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX codes_advertiser ON codes (advertiser_id, lower(code));
CREATE INDEX codes_task ON codes (task_id, id);
CREATE INDEX codes_campaign ON codes (campaign_id, id);
CREATE INDEX codes_creator ON codes (creator_id, id);

-- Codes an advertiser made elsewhere and uploaded for a campaign, given out in the order they came.
CREATE TABLE code_pool (
  number        BIGINT PRIMARY KEY,
  campaign_id   TEXT NOT NULL REFERENCES campaigns (id),
  advertiser_id TEXT NOT NULL,
  code          TEXT NOT NULL,
  code_id       TEXT NOT NULL DEFAULT '', -- of the code it became; empty: free
  added_at_ms   BIGINT NOT NULL
);
CREATE UNIQUE INDEX code_pool_advertiser ON code_pool (advertiser_id, lower(code));
CREATE INDEX code_pool_free ON code_pool (campaign_id, number) WHERE code_id = '';
CREATE INDEX code_pool_campaign ON code_pool (campaign_id);
INSERT INTO counters (name, value) VALUES ('code_pool', 0);
