-- Persons who were, or are being, erased. What is looked for stands here only until nothing of it is left.
CREATE TABLE erasures (
  id            TEXT PRIMARY KEY,
  advertiser_id TEXT NOT NULL,
  kind          TEXT NOT NULL, -- customer, visitor
  state         TEXT NOT NULL, -- pending, done
  hashes        TEXT NOT NULL, -- what stands for the customer, with spaces between; empty when done
  stand_in      TEXT NOT NULL, -- what stands in their place; empty when done
  found         TEXT NOT NULL, -- how much was erased, by store, JSON
  problem       TEXT NOT NULL DEFAULT '', -- why it is not done
  at_ms         BIGINT NOT NULL, -- what was received up to then
  clicks_found  BIGINT NOT NULL DEFAULT 0, -- 1: the clicks are all in erasure_clicks; nodes look for them in their quarantines
  done_at_ms    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX erasures_pending ON erasures (id) WHERE state = 'pending';

-- Clicks of the person whose rows are still to be emptied.
CREATE TABLE erasure_clicks (
  erasure_id TEXT NOT NULL REFERENCES erasures (id),
  click_id   TEXT NOT NULL,
  PRIMARY KEY (erasure_id, click_id)
);

-- Which nodes have rewritten their quarantine of clicks, which is on their disk.
CREATE TABLE erasure_nodes (
  erasure_id TEXT NOT NULL REFERENCES erasures (id),
  node_id    TEXT NOT NULL,
  clicks     BIGINT NOT NULL, -- rewritten
  PRIMARY KEY (erasure_id, node_id)
);

-- Which customers were erased, as a hash of their hash: a report of one that was received up to then and comes later is
-- settled without the person.
CREATE TABLE erased_customers (
  mark  TEXT PRIMARY KEY,
  at_ms BIGINT NOT NULL
);
CREATE INDEX erased_customers_at ON erased_customers (at_ms);
