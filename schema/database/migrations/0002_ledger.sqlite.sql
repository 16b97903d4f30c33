CREATE TRIGGER entries_not_changed BEFORE UPDATE ON entries
BEGIN
  SELECT RAISE(ABORT, 'an entry of the ledger is never changed: write another one');
END;

CREATE TRIGGER entries_not_deleted BEFORE DELETE ON entries
BEGIN
  SELECT RAISE(ABORT, 'an entry of the ledger is never deleted');
END;

-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER entries_not_replaced BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'an entry of the ledger is never replaced');
END;
