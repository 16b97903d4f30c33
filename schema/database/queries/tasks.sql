-- name: task.insert
INSERT INTO tasks (id, campaign_id, creator_id, advertiser_id, platform, status, fee_minor, due_at_ms, fields, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)

-- name: task.update
UPDATE tasks SET status = $2, fee_minor = $3, due_at_ms = $4, fields = $5, updated_at_ms = $6 WHERE id = $1

-- name: task.archive
UPDATE tasks SET archived_at_ms = $2, updated_at_ms = $2 WHERE id = $1

-- name: task.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, advertiser_id FROM tasks WHERE id = $1

-- name: task.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, advertiser_id
FROM tasks
WHERE archived_at_ms = 0
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND campaign_id || '' = $also_campaign_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND platform = $platform -- when given
  AND status = $status -- when given
  AND status = 'open' AND due_at_ms > 0 AND due_at_ms < $overdue_at -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit
