-- name: code.insert
INSERT INTO codes (id, code, task_id, campaign_id, creator_id, advertiser_id, platform, starts_at_ms, ends_at_ms, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
ON CONFLICT DO NOTHING

-- name: code.update
UPDATE codes SET starts_at_ms = $2, ends_at_ms = $3, updated_at_ms = $4 WHERE id = $1

-- name: code.delete
UPDATE codes SET archived_at_ms = $2, updated_at_ms = $2 WHERE id = $1

-- name: code.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, code, task_id, campaign_id, creator_id, advertiser_id, platform,
  starts_at_ms, ends_at_ms
FROM codes WHERE id = $1

-- name: code.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, code, task_id, campaign_id, creator_id, advertiser_id, platform,
  starts_at_ms, ends_at_ms
FROM codes
WHERE archived_at_ms = 0
  AND lower(code) = $code -- when given
  AND task_id = $task_id -- when given
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND creator_id || '' = $also_creator_id -- when given
  AND campaign_id || '' = $also_campaign_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND platform = $platform -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit

-- name: code.pool_next
-- The oldest code of a pool that nobody has. The campaign's writers take turns, so no two are given the same.
SELECT number, code FROM code_pool WHERE campaign_id = $1 AND code_id = '' ORDER BY number LIMIT 1

-- name: code.pool_find
SELECT number, code FROM code_pool WHERE campaign_id = $1 AND lower(code) = $2 AND code_id = ''

-- name: code.pool_take
UPDATE code_pool SET code_id = $2 WHERE number = $1 AND code_id = ''

-- name: code.pool_insert
INSERT INTO code_pool (number, campaign_id, advertiser_id, code, added_at_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING

-- name: code.pool_count
SELECT COUNT(*), COALESCE(SUM(CASE WHEN code_id = '' THEN 1 ELSE 0 END), 0) FROM code_pool WHERE campaign_id = $1

-- name: code.taken
-- Whether an advertiser has the code already, given out or in a pool.
SELECT EXISTS (SELECT 1 FROM codes WHERE advertiser_id = $1 AND lower(code) = $2)
  OR EXISTS (SELECT 1 FROM code_pool WHERE advertiser_id = $1 AND lower(code) = $2 AND code_id = '')
