-- What the rules against fraud said of an action, or of a creator in a campaign, in the words of attribution. It names
-- nobody but the creator: neither customer nor network.
CREATE TABLE fraud_signals (
  number        BIGINT PRIMARY KEY, -- of the counter "ledger"
  id            TEXT NOT NULL,
  advertiser_id TEXT NOT NULL,
  campaign_id   TEXT NOT NULL,
  creator_id    TEXT NOT NULL,
  conversion_id TEXT NOT NULL, -- empty: of a creator in a campaign
  action_id     TEXT NOT NULL,
  order_id      TEXT NOT NULL,
  rule          TEXT NOT NULL,
  version       BIGINT NOT NULL,
  severity      TEXT NOT NULL, -- flag, hold
  reason        TEXT NOT NULL, -- an action's, when it is held
  figures       TEXT NOT NULL, -- JSON
  sentence      TEXT NOT NULL,
  at_ms         BIGINT NOT NULL
);
CREATE UNIQUE INDEX fraud_signals_id ON fraud_signals (id);
CREATE INDEX fraud_signals_advertiser ON fraud_signals (advertiser_id, number);
CREATE INDEX fraud_signals_creator ON fraud_signals (creator_id, number);
CREATE INDEX fraud_signals_action ON fraud_signals (action_id, number) WHERE action_id <> '';
CREATE INDEX fraud_signals_conversion ON fraud_signals (conversion_id, number) WHERE conversion_id <> '';

-- Orders by hour of event time, of what the rules count: a creator's from one network, and a code's that no click of
-- its creator led to. Kept as long as the longest window.
CREATE TABLE fraud_counts (
  advertiser_id TEXT NOT NULL,
  subject       TEXT NOT NULL, -- a code, or a creator and the tag of a network, which says which of hundreds it may be
  hour_ms       BIGINT NOT NULL,
  orders        BIGINT NOT NULL,
  PRIMARY KEY (advertiser_id, subject, hour_ms)
);
CREATE INDEX fraud_counts_hour ON fraud_counts (hour_ms);

INSERT INTO counters (name, value) VALUES ('fraud_rates', 0); -- through which hour creators' rates were looked at
