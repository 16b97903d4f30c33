-- How many reports of each log ended how, counted in the transaction that settles them: what was received is their
-- sum. Beside logs of reports there are "quarantine", of those replayed, and "inquiries", of orders a creator missed.
CREATE TABLE report_tallies (
  log     TEXT NOT NULL,
  kind    TEXT NOT NULL, -- conversion, refund, landing, other
  outcome TEXT NOT NULL, -- accepted, upgraded, duplicate, conflict, rejected
  code    TEXT NOT NULL, -- the typed reason of one that was refused
  reports BIGINT NOT NULL,
  PRIMARY KEY (log, kind, outcome, code)
);
