-- How creators come into campaigns, and the drafts they show before they post.

-- The creator itself wants to be in it: it applied, accepted, or joined, and has not left of its own will.
ALTER TABLE participations ADD COLUMN willing BIGINT NOT NULL DEFAULT 0;
UPDATE participations SET willing = 1 WHERE status = 'applied' OR joined_at_ms > 0;
CREATE INDEX participations_status ON participations (campaign_id, status, creator_id);

CREATE TABLE drafts (
  id             TEXT PRIMARY KEY,
  task_id        TEXT NOT NULL REFERENCES tasks (id),
  campaign_id    TEXT NOT NULL,
  creator_id     TEXT NOT NULL,
  advertiser_id  TEXT NOT NULL,
  platform       TEXT NOT NULL,
  fields         TEXT NOT NULL, -- text and asset_urls, JSON
  status         TEXT NOT NULL, -- waiting, approved, returned
  reason         TEXT NOT NULL DEFAULT '', -- why it was returned
  post_id        TEXT NOT NULL DEFAULT '', -- the post it became; empty: none yet
  decided_at_ms  BIGINT NOT NULL DEFAULT 0,
  created_at_ms  BIGINT NOT NULL,
  updated_at_ms  BIGINT NOT NULL,
  archived_at_ms BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX drafts_waiting ON drafts (task_id) WHERE status = 'waiting';
CREATE INDEX drafts_task ON drafts (task_id, id);
CREATE INDEX drafts_campaign ON drafts (campaign_id, id);
CREATE INDEX drafts_creator ON drafts (creator_id, id);
CREATE INDEX drafts_advertiser ON drafts (advertiser_id, id);
CREATE INDEX drafts_post ON drafts (post_id) WHERE post_id <> '';
