-- The feed trackers follow. Links are read as one text, because ten million of them are.

-- name: route.advertisers
SELECT changed, id, fields, public_key FROM advertisers WHERE changed > $1 ORDER BY changed LIMIT $2

-- name: route.campaigns
SELECT changed, id, advertiser_id, fields, approved_at_ms, paused_at_ms, closed_at_ms, over_budget, starts_at_ms, ends_at_ms
FROM campaigns WHERE changed > $1 ORDER BY changed LIMIT $2

-- name: route.links
SELECT changed, number, concat_ws(' ', vanity, disabled, CASE WHEN archived_at_ms > 0 THEN '1' ELSE '0' END, id, slug, task_id, post_id,
  campaign_id, creator_id, advertiser_id, platform, currency, destination), options
FROM links WHERE changed > $1 ORDER BY changed LIMIT $2

-- name: route.live_links
SELECT changed, number, concat_ws(' ', vanity, disabled, '0', id, slug, task_id, post_id,
  campaign_id, creator_id, advertiser_id, platform, currency, destination), options
FROM links WHERE number > $1 AND archived_at_ms = 0 ORDER BY number LIMIT $2

-- name: route.last
SELECT coalesce(max(changed), 0) FROM (SELECT max(changed) AS changed FROM advertisers
  UNION ALL SELECT max(changed) FROM campaigns UNION ALL SELECT max(changed) FROM links) AS latest
