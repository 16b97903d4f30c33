-- name: link.insert
INSERT INTO links (number, id, slug, vanity, task_id, campaign_id, creator_id, advertiser_id, platform, currency, post_id, destination,
  label, options, disabled, created_at_ms, updated_at_ms, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17)
ON CONFLICT DO NOTHING

-- name: link.update
UPDATE links SET post_id = $2, destination = $3, label = $4, options = $5, disabled = $6, updated_at_ms = $7, changed = $8
WHERE id = $1

-- name: link.delete
UPDATE links SET archived_at_ms = $2, updated_at_ms = $2, changed = $3 WHERE id = $1

-- name: link.by_id
SELECT l.id, l.created_at_ms, l.updated_at_ms, l.archived_at_ms, l.number, l.slug, l.vanity, l.task_id, l.campaign_id, l.creator_id,
  l.advertiser_id, l.platform, l.post_id, l.destination, c.destination, l.label, l.options, l.disabled
FROM links l JOIN campaigns c ON c.id = l.campaign_id WHERE l.id = $1

-- name: link.by_number
SELECT l.id, l.created_at_ms, l.updated_at_ms, l.archived_at_ms, l.number, l.slug, l.vanity, l.task_id, l.campaign_id, l.creator_id,
  l.advertiser_id, l.platform, l.post_id, l.destination, c.destination, l.label, l.options, l.disabled
FROM links l JOIN campaigns c ON c.id = l.campaign_id WHERE l.number = $1

-- name: link.list
-- One of the first conditions is given, and finds the rows by its index; the planner would not know which is narrow.
SELECT l.id, l.created_at_ms, l.updated_at_ms, l.archived_at_ms, l.number, l.slug, l.vanity, l.task_id, l.campaign_id, l.creator_id,
  l.advertiser_id, l.platform, l.post_id, l.destination, c.destination, l.label, l.options, l.disabled
FROM links l JOIN campaigns c ON c.id = l.campaign_id
WHERE l.archived_at_ms = 0
  AND lower(l.slug) = $slug -- when given
  AND l.task_id = $task_id -- when given
  AND l.label = $label AND l.label <> '' -- when given
  AND l.creator_id = $creator_id -- when given
  AND l.campaign_id = $campaign_id -- when given
  AND l.advertiser_id = $advertiser_id -- when given
  AND l.task_id || '' = $also_task_id -- when given
  AND l.label || '' = $also_label -- when given
  AND l.creator_id || '' = $also_creator_id -- when given
  AND l.campaign_id || '' = $also_campaign_id -- when given
  AND l.advertiser_id || '' = $also_advertiser_id -- when given
  AND l.platform = $platform -- when given
  AND l.number < $before -- when given
ORDER BY l.number DESC
LIMIT $limit

-- name: link.room
-- What making a link for a task depends on.
SELECT t.campaign_id, t.creator_id, t.advertiser_id, t.platform, t.status, t.archived_at_ms,
  c.currency, c.tracking, c.closed_at_ms, c.destination, COALESCE(p.status, ''), a.fields
FROM tasks t JOIN campaigns c ON c.id = t.campaign_id JOIN advertisers a ON a.id = t.advertiser_id
  LEFT JOIN participations p ON p.campaign_id = t.campaign_id AND p.creator_id = t.creator_id
WHERE t.id = $1

-- name: link.audit_made
INSERT INTO audit_log (number, at_ms, key_id, role, verb, thing, thing_id, advertiser_id, fields)
SELECT changed, CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS TEXT), 'create', 'link', id, advertiser_id, '' FROM links WHERE changed BETWEEN $1 AND $2
