-- The ledger: what merchants reported, who earned it, and every entry that made an action what it is. Times are
-- milliseconds, 0 for never; money is minor units. Rows are numbered in the order of commits by the counter "ledger".

INSERT INTO counters (name, value) VALUES ('ledger', 0), ('campaigns_flipped', 0);

-- One row per order and event of an advertiser, for ever.
CREATE TABLE conversions (
  number          BIGINT PRIMARY KEY,
  id              TEXT NOT NULL,
  advertiser_id   TEXT NOT NULL,
  event           TEXT NOT NULL,
  order_id        TEXT NOT NULL,
  amount_minor    BIGINT NOT NULL,
  currency        TEXT NOT NULL, -- empty: reported without an amount
  customer        TEXT NOT NULL, -- keyed hash
  customer_status TEXT NOT NULL, -- new or returning, as far as was known when it was decided; empty: unknown
  source          TEXT NOT NULL,
  signed          BIGINT NOT NULL,
  attributed      BIGINT NOT NULL,
  reason          TEXT NOT NULL, -- why nobody was credited
  event_time_ms   BIGINT NOT NULL,
  received_at_ms  BIGINT NOT NULL,
  fields          TEXT NOT NULL, -- as reported, JSON
  trace           TEXT NOT NULL, -- how it was decided, JSON
  refunded_minor  BIGINT NOT NULL DEFAULT 0,
  refunded_part   TEXT NOT NULL DEFAULT '0', -- of payouts, such as 1/3: articles take their part of what all articles cost
  upgraded_at_ms  BIGINT NOT NULL DEFAULT 0, -- when a signed report superseded an unsigned one
  updated_at_ms   BIGINT NOT NULL
);
CREATE UNIQUE INDEX conversions_id ON conversions (id);
CREATE UNIQUE INDEX conversions_once ON conversions (order_id, advertiser_id, event);
CREATE INDEX conversions_advertiser ON conversions (advertiser_id, number);

-- What a creator earned, as the entries have made it.
CREATE TABLE actions (
  number           BIGINT PRIMARY KEY,
  id               TEXT NOT NULL,
  conversion_id    TEXT NOT NULL, -- empty: of a task, a post or clicks
  advertiser_id    TEXT NOT NULL,
  campaign_id      TEXT NOT NULL,
  creator_id       TEXT NOT NULL,
  task_id          TEXT NOT NULL,
  link_id          TEXT NOT NULL,
  post_id          TEXT NOT NULL,
  code_id          TEXT NOT NULL,
  code             TEXT NOT NULL,
  platform         TEXT NOT NULL,
  event            TEXT NOT NULL,
  order_id         TEXT NOT NULL,
  click_id         TEXT NOT NULL,
  customer         TEXT NOT NULL,
  corrects         TEXT NOT NULL, -- of an adjustment: the action it corrects
  referral         TEXT NOT NULL,
  model            TEXT NOT NULL,
  credit           TEXT NOT NULL, -- exact fraction
  quantity         BIGINT NOT NULL,
  currency         TEXT NOT NULL,
  amount_minor     BIGINT NOT NULL,
  intended_minor   BIGINT NOT NULL,
  payout_minor     BIGINT NOT NULL,
  cost_minor       BIGINT NOT NULL,
  state            TEXT NOT NULL,
  reasons          TEXT NOT NULL, -- in their order, each behind the other with a space between
  over_budget      BIGINT NOT NULL, -- held for it
  notes            TEXT NOT NULL,
  reversal         TEXT NOT NULL, -- the reason code of a reversed one
  click_time_ms    BIGINT NOT NULL,
  event_time_ms    BIGINT NOT NULL,
  received_at_ms   BIGINT NOT NULL,
  lock_at_ms       BIGINT NOT NULL,
  pay_at_ms        BIGINT NOT NULL,
  locked_at_ms     BIGINT NOT NULL,
  payable_at_ms    BIGINT NOT NULL,
  paid_at_ms       BIGINT NOT NULL,
  reversed_at_ms   BIGINT NOT NULL,
  payout_id        TEXT NOT NULL,
  terms_version    BIGINT NOT NULL,
  seq              BIGINT NOT NULL, -- how many entries it has
  created_at_ms    BIGINT NOT NULL,
  updated_at_ms    BIGINT NOT NULL
);
CREATE UNIQUE INDEX actions_id ON actions (id);
CREATE INDEX actions_order ON actions (order_id, number);
CREATE INDEX actions_advertiser ON actions (advertiser_id, number);
CREATE INDEX actions_campaign ON actions (campaign_id, number);
CREATE INDEX actions_creator ON actions (creator_id, number);
CREATE INDEX actions_updated ON actions (updated_at_ms, number);
CREATE INDEX actions_over_budget ON actions (campaign_id, number) WHERE over_budget = 1;
CREATE INDEX actions_to_lock ON actions (lock_at_ms, number) WHERE state = 'pending';
CREATE INDEX actions_to_pay ON actions (pay_at_ms, number) WHERE state = 'locked';
CREATE INDEX actions_payable ON actions (advertiser_id, creator_id, number) WHERE state = 'payable';
CREATE INDEX actions_payout ON actions (payout_id, number) WHERE payout_id <> '';
CREATE INDEX actions_corrects ON actions (corrects, number) WHERE corrects <> '';
CREATE INDEX actions_task ON actions (task_id, number) WHERE referral = 'task';
CREATE INDEX actions_post ON actions (post_id, number) WHERE referral = 'post';

-- Who did what to an action, when and why. Its amounts are the sums of the deltas; the last entry has its state.
CREATE TABLE entries (
  number         BIGINT PRIMARY KEY,
  action         BIGINT NOT NULL, -- actions.number
  seq            BIGINT NOT NULL, -- of the action
  at_ms          BIGINT NOT NULL,
  verb           TEXT NOT NULL,
  key_id         TEXT NOT NULL, -- empty: the ledger itself
  role           TEXT NOT NULL,
  reason         TEXT NOT NULL,
  note           TEXT NOT NULL,
  from_state     TEXT NOT NULL, -- empty: it was made
  to_state       TEXT NOT NULL,
  reasons        TEXT NOT NULL, -- the action's, behind this entry
  amount_delta   BIGINT NOT NULL,
  intended_delta BIGINT NOT NULL,
  payout_delta   BIGINT NOT NULL,
  cost_delta     BIGINT NOT NULL
);
CREATE UNIQUE INDEX entries_action ON entries (action, seq);

-- A customer of an advertiser, by keyed hash.
CREATE TABLE customers (
  advertiser_id TEXT NOT NULL,
  customer      TEXT NOT NULL,
  first_sale_ms BIGINT NOT NULL, -- the earliest event time of its sales
  first_sale    BIGINT NOT NULL, -- the number of that sale's conversion
  PRIMARY KEY (advertiser_id, customer)
);

-- Clicks known of a customer, from its conversions and landings.
CREATE TABLE customer_touches (
  advertiser_id TEXT NOT NULL,
  customer      TEXT NOT NULL,
  click_id      TEXT NOT NULL, -- sorts by the click's time
  PRIMARY KEY (advertiser_id, customer, click_id)
);

-- What counts against caps and the creators' maximum, without reversed actions. A row that is missing is zero.
CREATE TABLE cap_tallies (
  campaign_id  TEXT NOT NULL,
  scope        TEXT NOT NULL,
  scope_id     TEXT NOT NULL,
  from_ms      BIGINT NOT NULL,
  to_ms        BIGINT NOT NULL,
  payout_minor BIGINT NOT NULL,
  actions      BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, scope, scope_id, from_ms, to_ms)
);

-- Which scopes and periods a campaign's tallies are kept for; when they change, the tallies are made anew.
CREATE TABLE cap_shapes (
  campaign_id TEXT PRIMARY KEY,
  shape       TEXT NOT NULL
);

-- What could not be taken, and why.
CREATE TABLE quarantine (
  number         BIGINT PRIMARY KEY,
  id             TEXT NOT NULL,
  advertiser_id  TEXT NOT NULL,
  kind           TEXT NOT NULL,
  code           TEXT NOT NULL,
  reason         TEXT NOT NULL,
  receipt_id     TEXT NOT NULL,
  event          TEXT NOT NULL,
  order_id       TEXT NOT NULL,
  source         TEXT NOT NULL,
  report         TEXT NOT NULL, -- JSON; empty where it could not even be read
  raw            TEXT NOT NULL,
  at_ms          BIGINT NOT NULL,
  replayed_at_ms BIGINT NOT NULL DEFAULT 0,
  outcome        TEXT NOT NULL DEFAULT '' -- of the replay that settled it
);
CREATE UNIQUE INDEX quarantine_id ON quarantine (id);
CREATE INDEX quarantine_advertiser ON quarantine (advertiser_id, number);

-- How far each log of reports is settled.
CREATE TABLE settled (
  log     TEXT PRIMARY KEY,
  through BIGINT NOT NULL,
  at_ms   BIGINT NOT NULL
);

-- What happened, for those who must be told: ClickHouse, webhooks, notifications.
CREATE TABLE outbox (
  number  BIGINT PRIMARY KEY,
  kind    TEXT NOT NULL,
  payload TEXT NOT NULL
);

CREATE TABLE refunds (
  advertiser_id TEXT NOT NULL,
  refund_id     TEXT NOT NULL,
  conversion_id TEXT NOT NULL,
  named         TEXT NOT NULL, -- what it says it takes: the amount, articles (a digest) or the whole
  amount_minor  BIGINT NOT NULL,
  currency      TEXT NOT NULL,
  reason        TEXT NOT NULL,
  receipt_id    TEXT NOT NULL,
  at_ms         BIGINT NOT NULL,
  PRIMARY KEY (advertiser_id, refund_id)
);
CREATE INDEX refunds_conversion ON refunds (conversion_id, at_ms);

CREATE TABLE payouts (
  number        BIGINT PRIMARY KEY,
  id            TEXT NOT NULL,
  advertiser_id TEXT NOT NULL,
  creator_id    TEXT NOT NULL,
  currency      TEXT NOT NULL,
  amount_minor  BIGINT NOT NULL,
  actions       BIGINT NOT NULL,
  state         TEXT NOT NULL, -- open, paid
  reference     TEXT NOT NULL,
  as_of_ms      BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  paid_at_ms    BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX payouts_id ON payouts (id);
CREATE INDEX payouts_advertiser ON payouts (advertiser_id, number);
CREATE INDEX payouts_creator ON payouts (creator_id, number);

-- What was paid on tasks, to pay the same request once.
CREATE TABLE task_payments (
  number       BIGINT PRIMARY KEY,
  task_id      TEXT NOT NULL,
  request_key  TEXT NOT NULL, -- the Idempotency-Key; empty: none was given
  amount_minor BIGINT NOT NULL,
  action_id    TEXT NOT NULL,
  at_ms        BIGINT NOT NULL
);
CREATE INDEX task_payments_task ON task_payments (task_id, number);

-- Clicks of a task and hour that were booked under terms that pay per click.
CREATE TABLE click_bookings (
  task_id   TEXT NOT NULL,
  hour_ms   BIGINT NOT NULL,
  quantity  BIGINT NOT NULL,
  action_id TEXT NOT NULL,
  at_ms     BIGINT NOT NULL,
  PRIMARY KEY (task_id, hour_ms)
);

-- What of a post's metrics was booked already; each grows and never shrinks below what was approved.
CREATE TABLE post_bookings (
  post_id     TEXT NOT NULL,
  metric      TEXT NOT NULL,
  quantity    BIGINT NOT NULL,
  worth_minor BIGINT NOT NULL, -- what the last action was measured at; a person may have adjusted it since
  action_id   TEXT NOT NULL, -- the last
  at_ms       BIGINT NOT NULL,
  PRIMARY KEY (post_id, metric)
);

-- The operator's rates: one unit of base is rate units of quote on that day (UTC).
CREATE TABLE fx_rates (
  day   TEXT NOT NULL, -- 2027-01-31
  base  TEXT NOT NULL,
  quote TEXT NOT NULL,
  rate  TEXT NOT NULL, -- decimal
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (day, base, quote)
);

CREATE TABLE inquiries (
  number        BIGINT PRIMARY KEY,
  id            TEXT NOT NULL,
  advertiser_id TEXT NOT NULL,
  creator_id    TEXT NOT NULL,
  campaign_id   TEXT NOT NULL,
  order_id      TEXT NOT NULL,
  fields        TEXT NOT NULL, -- as written, JSON
  state         TEXT NOT NULL, -- open, approved, rejected
  reason        TEXT NOT NULL,
  action_id     TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX inquiries_id ON inquiries (id);
CREATE INDEX inquiries_advertiser ON inquiries (advertiser_id, number);
CREATE INDEX inquiries_creator ON inquiries (creator_id, number);

-- What the settler asks of the catalog.
CREATE INDEX participation_events_number ON participation_events (number);
CREATE INDEX campaigns_starts ON campaigns (starts_at_ms);
CREATE INDEX campaigns_ends ON campaigns (ends_at_ms);
