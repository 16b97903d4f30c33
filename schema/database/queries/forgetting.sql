-- What is kept for a time only.

-- name: forget.quarantined
SELECT number FROM quarantine WHERE at_ms < $1 AND (report <> '' OR raw <> '') ORDER BY number LIMIT $2

-- name: forget.empty_quarantined
UPDATE quarantine SET report = '', raw = '' WHERE number = $1

-- name: forget.audit_log
DELETE FROM audit_log WHERE number IN (SELECT number FROM audit_log WHERE at_ms < $1 ORDER BY number LIMIT $2)
