-- What happened, told onwards: who reads the outbox, webhooks, notifications, mails and what of reports is seen by its
-- way in. Times are milliseconds, 0 for never.

-- Who reads the outbox, and the last message each is done with. What all are done with is deleted.
CREATE TABLE outbox_readers (
  name    TEXT PRIMARY KEY,
  through BIGINT NOT NULL
);
INSERT INTO outbox_readers (name, through) VALUES ('clickhouse', 0), ('events', 0);

-- The status of a campaign that was told last, so that none is told twice in a row.
CREATE TABLE campaigns_told (
  campaign_id TEXT PRIMARY KEY,
  status      TEXT NOT NULL
);

CREATE TABLE webhooks (
  id                TEXT PRIMARY KEY,
  advertiser_id     TEXT NOT NULL, -- empty: the operator's, of everything
  fields            TEXT NOT NULL, -- what a client writes, JSON
  enabled           BIGINT NOT NULL,
  secret            TEXT NOT NULL, -- sealed
  old_secret        TEXT NOT NULL DEFAULT '', -- sealed; signs beside the other
  old_until_ms      BIGINT NOT NULL DEFAULT 0,
  failures          BIGINT NOT NULL DEFAULT 0, -- in a row
  not_before_ms     BIGINT NOT NULL DEFAULT 0, -- after a failure
  disabled_at_ms    BIGINT NOT NULL DEFAULT 0, -- for its failures
  disabled_reason   TEXT NOT NULL DEFAULT '',
  last_success_ms   BIGINT NOT NULL DEFAULT 0,
  created_at_ms     BIGINT NOT NULL,
  updated_at_ms     BIGINT NOT NULL,
  archived_at_ms    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_advertiser ON webhooks (advertiser_id, id);

-- What a webhook is to be sent, and what came of it. A delivery that is being sent is due again when its lease ends.
CREATE TABLE webhook_deliveries (
  number        BIGINT PRIMARY KEY,
  id            TEXT NOT NULL,
  webhook_id    TEXT NOT NULL,
  event_id      TEXT NOT NULL,
  event_type    TEXT NOT NULL,
  body          TEXT NOT NULL,
  state         TEXT NOT NULL, -- waiting, delivered, failed
  replay_of     TEXT NOT NULL,
  attempts      BIGINT NOT NULL DEFAULT 0,
  next_at_ms    BIGINT NOT NULL, -- of one that waits: when it is due, or its lease ends
  lease         TEXT NOT NULL DEFAULT '',
  last_at_ms    BIGINT NOT NULL DEFAULT 0,
  status_code   BIGINT NOT NULL DEFAULT 0, -- 0: no answer
  duration_ms   BIGINT NOT NULL DEFAULT 0,
  error         TEXT NOT NULL DEFAULT '',
  answer        TEXT NOT NULL DEFAULT '', -- its first bytes
  created_at_ms BIGINT NOT NULL,
  ended_at_ms   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX webhook_deliveries_id ON webhook_deliveries (id);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, number);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at_ms, number) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (created_at_ms) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at_ms);
INSERT INTO counters (name, value) VALUES ('webhook_delivery', 0);

CREATE TABLE notifications (
  number        BIGINT PRIMARY KEY,
  id            TEXT NOT NULL,
  role          TEXT NOT NULL, -- admin, advertiser, creator
  owner_id      TEXT NOT NULL, -- the advertiser or creator; empty: the operator
  once          TEXT NOT NULL, -- what it tells of, so that it is told once
  type          TEXT NOT NULL,
  title         TEXT NOT NULL,
  content       TEXT NOT NULL,
  campaign_id   TEXT NOT NULL,
  subject       TEXT NOT NULL, -- ids of what it is about, JSON
  created_at_ms BIGINT NOT NULL,
  read_at_ms    BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX notifications_id ON notifications (id);
CREATE UNIQUE INDEX notifications_once ON notifications (role, owner_id, once);
CREATE INDEX notifications_owner ON notifications (role, owner_id, number);
CREATE INDEX notifications_unread ON notifications (role, owner_id, number) WHERE read_at_ms = 0;
CREATE INDEX notifications_created ON notifications (created_at_ms);
INSERT INTO counters (name, value) VALUES ('notification', 0);

-- E-mails on their way. One that is being sent is due again when its lease ends.
CREATE TABLE mails (
  number        BIGINT PRIMARY KEY,
  id            TEXT NOT NULL,
  once          TEXT NOT NULL, -- whom it tells of what, so that it is told once
  to_name       TEXT NOT NULL,
  to_address    TEXT NOT NULL,
  subject       TEXT NOT NULL,
  plain         TEXT NOT NULL,
  html          TEXT NOT NULL,
  state         TEXT NOT NULL, -- waiting, sent, failed
  attempts      BIGINT NOT NULL DEFAULT 0,
  next_at_ms    BIGINT NOT NULL,
  lease         TEXT NOT NULL DEFAULT '',
  error         TEXT NOT NULL DEFAULT '',
  created_at_ms BIGINT NOT NULL,
  ended_at_ms   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX mails_once ON mails (once);
CREATE INDEX mails_due ON mails (next_at_ms, number) WHERE state = 'waiting';
CREATE INDEX mails_created ON mails (created_at_ms);
INSERT INTO counters (name, value) VALUES ('mail', 0), ('starts_told', 0);

-- What came of an advertiser's reports, by way, hour and outcome.
CREATE TABLE report_hours (
  advertiser_id TEXT NOT NULL,
  source        TEXT NOT NULL,
  hour_ms       BIGINT NOT NULL,
  outcome       TEXT NOT NULL, -- accepted, unattributed, quarantined
  code          TEXT NOT NULL, -- why, where it was not accepted and attributed
  reports       BIGINT NOT NULL,
  PRIMARY KEY (advertiser_id, source, hour_ms, outcome, code)
);
CREATE INDEX report_hours_hour ON report_hours (hour_ms);

-- When reports of each way were last accepted and last refused, for ever.
CREATE TABLE report_ways (
  advertiser_id    TEXT NOT NULL,
  source           TEXT NOT NULL,
  first_at_ms      BIGINT NOT NULL,
  last_accepted_ms BIGINT NOT NULL, -- attributed or not; 0: never
  last_refused_ms  BIGINT NOT NULL,
  PRIMARY KEY (advertiser_id, source)
);
