-- name: reclassify.insert
INSERT INTO reclassifications (id, key_id, role, advertiser_id, from_ms, to_ms, dry_run, rules_version, state, position_ms, found, step, created_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $5, $9, $10, $11)
ON CONFLICT DO NOTHING

-- name: reclassify.last_step
SELECT COALESCE(MAX(step), 0) FROM reclassifications

-- name: reclassify.begin_step
UPDATE reclassifications SET step = step + 1, position_ms = $2, step_to_ms = $3, step_found = ''
WHERE id = $1 AND state = 'running' AND step = $4 AND step_to_ms = 0

-- name: reclassify.planned
UPDATE reclassifications SET step_found = $2
WHERE id = $1 AND state = 'running' AND step = $3 AND step_to_ms > 0 AND step_found = ''

-- name: reclassify.end_step
UPDATE reclassifications SET position_ms = $2, found = $3, step_to_ms = 0, step_found = ''
WHERE id = $1 AND state = 'running' AND step = $4 AND step_to_ms > 0

-- name: reclassify.finish
UPDATE reclassifications SET state = $2, why = $3, step_to_ms = 0, step_found = '', finished_at_ms = $4
WHERE id = $1 AND state = 'running' AND step = $5

-- name: reclassify.get
SELECT id, key_id, role, advertiser_id, from_ms, to_ms, dry_run, rules_version, state, why, position_ms, found, step, step_to_ms, step_found,
  created_at_ms, finished_at_ms
FROM reclassifications WHERE id = $1

-- name: reclassify.running
SELECT id, key_id, role, advertiser_id, from_ms, to_ms, dry_run, rules_version, state, why, position_ms, found, step, step_to_ms, step_found,
  created_at_ms, finished_at_ms
FROM reclassifications WHERE state = 'running'

-- name: reclassify.list
SELECT id, key_id, role, advertiser_id, from_ms, to_ms, dry_run, rules_version, state, why, position_ms, found, step, step_to_ms, step_found,
  created_at_ms, finished_at_ms
FROM reclassifications ORDER BY created_at_ms DESC, id DESC LIMIT $1

-- name: reclassify.forget
DELETE FROM reclassifications WHERE state <> 'running' AND created_at_ms < $1
