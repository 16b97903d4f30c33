-- name: post.insert
INSERT INTO posts (id, task_id, campaign_id, creator_id, advertiser_id, platform, url, status, warning, posted_at_ms, approved_at_ms, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)

-- name: post.update
UPDATE posts SET url = $2, status = $3, warning = $4, posted_at_ms = $5, approved_at_ms = $6, updated_at_ms = $7 WHERE id = $1

-- name: post.archive
UPDATE posts SET archived_at_ms = $2, updated_at_ms = $2 WHERE id = $1

-- name: post.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, url, task_id, campaign_id, creator_id, advertiser_id, platform, status, warning,
  posted_at_ms, approved_at_ms
FROM posts WHERE id = $1

-- name: post.count_of_task
-- How many posts a task has that stand, beside one.
SELECT COUNT(*) FROM posts WHERE task_id = $1 AND archived_at_ms = 0 AND status <> 'ineffective' AND id <> $2

-- name: post.of_task
SELECT EXISTS (SELECT 1 FROM posts WHERE id = $1 AND task_id = $2 AND archived_at_ms = 0)

-- name: post.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, url, task_id, campaign_id, creator_id, advertiser_id, platform, status, warning,
  posted_at_ms, approved_at_ms
FROM posts
WHERE archived_at_ms = 0
  AND task_id = $task_id -- when given
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND advertiser_id = $advertiser_id -- when given
  AND creator_id || '' = $also_creator_id -- when given
  AND campaign_id || '' = $also_campaign_id -- when given
  AND advertiser_id || '' = $also_advertiser_id -- when given
  AND platform = $platform -- when given
  AND status = $status -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit

-- name: post.insert_snapshot
INSERT INTO post_snapshots (post_id, at_ms, views, likes, shares, comments, followers) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (post_id, at_ms) DO UPDATE SET views = excluded.views, likes = excluded.likes, shares = excluded.shares,
  comments = excluded.comments, followers = excluded.followers

-- name: post.snapshot_at
-- The last snapshot up to a time.
SELECT at_ms, views, likes, shares, comments, followers FROM post_snapshots
WHERE post_id = $1 AND at_ms <= $2 ORDER BY at_ms DESC LIMIT 1

-- name: post.snapshots
SELECT at_ms, views, likes, shares, comments, followers FROM post_snapshots
WHERE post_id = $post_id
  AND at_ms < $before -- when given
ORDER BY at_ms DESC LIMIT $limit
