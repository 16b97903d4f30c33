-- name: installation.note
INSERT INTO installation (name, fingerprint, at_ms) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING

-- name: installation.all
SELECT name, fingerprint FROM installation

-- name: installation.forget
DELETE FROM installation WHERE name = $1

-- name: node.beat
INSERT INTO nodes (id, machine, roles, seen_ms, clicks_waiting, reports_waiting, clicks_through_ms, reports_through_ms, quarantined)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET machine = excluded.machine, roles = excluded.roles, seen_ms = excluded.seen_ms,
  clicks_waiting = excluded.clicks_waiting, reports_waiting = excluded.reports_waiting,
  clicks_through_ms = excluded.clicks_through_ms, reports_through_ms = excluded.reports_through_ms, quarantined = excluded.quarantined

-- name: node.all
SELECT id, machine, roles, seen_ms, clicks_waiting, reports_waiting, clicks_through_ms, reports_through_ms FROM nodes ORDER BY machine, id

-- name: node.forget
DELETE FROM nodes WHERE id = $1

-- name: node.forget_gone
DELETE FROM nodes WHERE clicks_through_ms = $1 AND reports_through_ms = $1 AND quarantined = 0 AND seen_ms < $2
