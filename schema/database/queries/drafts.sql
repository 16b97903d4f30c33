-- name: draft.insert
INSERT INTO drafts (id, task_id, campaign_id, creator_id, advertiser_id, platform, fields, status, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8, $8)
ON CONFLICT DO NOTHING

-- name: draft.decide
UPDATE drafts SET status = $2, reason = $3, decided_at_ms = $4, updated_at_ms = $4 WHERE id = $1 AND status = 'waiting'

-- name: draft.post
-- The oldest approved draft of a task that no post was made of becomes this one.
UPDATE drafts SET post_id = $2, updated_at_ms = $3
WHERE id = (SELECT MIN(id) FROM drafts WHERE task_id = $1 AND status = 'approved' AND post_id = '')

-- name: draft.unpost
UPDATE drafts SET post_id = '', updated_at_ms = $2 WHERE post_id = $1

-- name: draft.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, task_id, campaign_id, creator_id, advertiser_id, platform, status,
  reason, post_id, decided_at_ms
FROM drafts WHERE id = $1

-- name: draft.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields, task_id, campaign_id, creator_id, advertiser_id, platform, status,
  reason, post_id, decided_at_ms
FROM drafts
WHERE archived_at_ms = 0
  AND task_id = $task_id -- when given
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND creator_id || '' = $also_creator_id -- when given
  AND campaign_id || '' = $also_campaign_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND status = $status -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit
