-- Posts: the content creators make for a task, and what it achieved.

CREATE TABLE posts (
  id             TEXT PRIMARY KEY,
  task_id        TEXT NOT NULL REFERENCES tasks (id),
  campaign_id    TEXT NOT NULL,
  creator_id     TEXT NOT NULL,
  advertiser_id  TEXT NOT NULL,
  platform       TEXT NOT NULL,
  url            TEXT NOT NULL,
  status         TEXT NOT NULL, -- joined, effective, warning, ineffective, approved
  warning        TEXT NOT NULL, -- why it has the status warning
  posted_at_ms   BIGINT NOT NULL,
  approved_at_ms BIGINT NOT NULL DEFAULT 0,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX posts_task ON posts (task_id, id);
CREATE INDEX posts_campaign ON posts (campaign_id, id);
CREATE INDEX posts_creator ON posts (creator_id, id);
CREATE INDEX posts_advertiser ON posts (advertiser_id, id);

-- What a post had achieved at a time. The same time again replaces it.
CREATE TABLE post_snapshots (
  post_id   TEXT NOT NULL REFERENCES posts (id),
  at_ms     BIGINT NOT NULL,
  views     BIGINT NOT NULL,
  likes     BIGINT NOT NULL,
  shares    BIGINT NOT NULL,
  comments  BIGINT NOT NULL,
  followers BIGINT NOT NULL, -- the account's; 0: unknown
  PRIMARY KEY (post_id, at_ms)
);

-- How far clicks were paid: the end of the last hour, under the name clicks_paid.
INSERT INTO counters (name, value) VALUES ('clicks_paid', 0);
