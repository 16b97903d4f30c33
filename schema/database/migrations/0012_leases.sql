-- Which node does work that one does at a time. A holder counts beats up while it lives; others take over when they have
-- seen the same beat for too long by their own clocks, so that nobody's clock needs to be right.
CREATE TABLE leases (
  name   TEXT PRIMARY KEY,
  holder TEXT NOT NULL, -- a node's name, for people; empty: nobody
  term   BIGINT NOT NULL, -- counts holders
  beat   BIGINT NOT NULL,
  at_ms  BIGINT NOT NULL  -- of the last beat, by its holder's clock; for people
);
INSERT INTO leases (name, holder, term, beat, at_ms) VALUES ('schedule', '', 0, 0, 0);
