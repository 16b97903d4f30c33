-- Runs that judge stored hits again, one at a time. A step is a part of the range under way.
CREATE TABLE reclassifications (
  id             TEXT PRIMARY KEY,
  key_id         TEXT NOT NULL,
  role           TEXT NOT NULL,
  advertiser_id  TEXT NOT NULL, -- empty: all
  from_ms        BIGINT NOT NULL,
  to_ms          BIGINT NOT NULL,
  dry_run        BIGINT NOT NULL,
  rules_version  BIGINT NOT NULL,
  state          TEXT NOT NULL, -- running, done, stopped
  why            TEXT NOT NULL DEFAULT '',
  position_ms    BIGINT NOT NULL, -- everything before it is done
  found          TEXT NOT NULL,   -- figures of what is done
  step           BIGINT NOT NULL, -- the last one's number, which grows over all runs
  step_to_ms     BIGINT NOT NULL DEFAULT 0, -- 0: no step is under way
  step_found     TEXT NOT NULL DEFAULT '',  -- figures of the step; empty: it is not planned
  created_at_ms  BIGINT NOT NULL,
  finished_at_ms BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX reclassifications_running ON reclassifications (state) WHERE state = 'running';
CREATE INDEX reclassifications_created ON reclassifications (created_at_ms);

-- Clicks whose verdict is another than the one sealed into their id.
CREATE TABLE click_overrides (
  click_id      TEXT PRIMARY KEY,
  click_time_ms BIGINT NOT NULL,
  verdict       TEXT NOT NULL,
  rules_version BIGINT NOT NULL,
  run_id        TEXT NOT NULL,
  at_ms         BIGINT NOT NULL
);
CREATE INDEX click_overrides_time ON click_overrides (click_time_ms);
