-- name: campaign.insert
INSERT INTO campaigns (id, advertiser_id, fields, kind, platforms, visibility, currency, timezone, search, starts_at_ms,
  ends_at_ms, budget_minor, budget_mode, max_creator_payout_minor, margin_millionths, agency_margin_millionths,
  destination, tracking, terms_version, created_at_ms, updated_at_ms, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 1, $19, $19, $20)

-- name: campaign.update
UPDATE campaigns SET fields = $2, kind = $3, platforms = $4, visibility = $5, timezone = $6, search = $7, starts_at_ms = $8,
  ends_at_ms = $9, budget_minor = $10, budget_mode = $11, max_creator_payout_minor = $12, margin_millionths = $13,
  agency_margin_millionths = $14, destination = $15, tracking = $16, terms_version = $17, updated_at_ms = $18, changed = $19
WHERE id = $1

-- name: campaign.set_state
UPDATE campaigns SET approved_at_ms = $2, paused_at_ms = $3, closed_at_ms = $4, archived_at_ms = $5, updated_at_ms = $6, changed = $7
WHERE id = $1

-- name: campaign.by_id
SELECT c.id, c.created_at_ms, c.updated_at_ms, c.archived_at_ms, c.fields, t.terms, c.terms_version, c.approved_at_ms,
  c.paused_at_ms, c.closed_at_ms, c.over_budget, c.committed_minor
FROM campaigns c JOIN campaign_terms t ON t.campaign_id = c.id AND t.version = c.terms_version
WHERE c.id = $1

-- name: campaign.list
SELECT c.id, c.created_at_ms, c.updated_at_ms, c.archived_at_ms, c.fields, t.terms, c.terms_version, c.approved_at_ms,
  c.paused_at_ms, c.closed_at_ms, c.over_budget, c.committed_minor
FROM campaigns c JOIN campaign_terms t ON t.campaign_id = c.id AND t.version = c.terms_version
WHERE c.archived_at_ms = 0
  AND c.advertiser_id = $scope_advertiser -- when given
  AND c.advertiser_id = $advertiser_id -- when given
  AND c.kind = $kind -- when given
  AND c.platforms LIKE $platform ESCAPE '\' -- when given
  AND c.search LIKE $q ESCAPE '\' -- when given
  AND $status = CASE WHEN c.closed_at_ms > 0 THEN 'closed' WHEN c.approved_at_ms = 0 THEN 'draft' WHEN $now >= c.ends_at_ms THEN 'finished' WHEN c.paused_at_ms > 0 THEN 'paused' WHEN $now < c.starts_at_ms THEN 'upcoming' WHEN c.over_budget = 1 THEN 'over_budget' ELSE 'ongoing' END -- when given
  AND c.id < $before -- when given
ORDER BY c.id DESC
LIMIT $limit

-- name: campaign.offered
-- What a creator may see, as far as its own fields do not decide it; with its status.
SELECT c.id, c.created_at_ms, c.updated_at_ms, c.archived_at_ms, c.fields, t.terms, c.terms_version, c.approved_at_ms,
  c.paused_at_ms, c.closed_at_ms, c.over_budget, c.committed_minor, p.status
FROM campaigns c JOIN campaign_terms t ON t.campaign_id = c.id AND t.version = c.terms_version
  LEFT JOIN participations p ON p.campaign_id = c.id AND p.creator_id = $creator_id
WHERE c.archived_at_ms = 0
  AND (p.status <> 'unavailable' OR p.status IS NULL AND c.visibility <> 'invite' AND c.approved_at_ms > 0
    AND c.closed_at_ms = 0 AND c.paused_at_ms = 0 AND c.ends_at_ms > $now)
  AND p.status = $participation -- when given
  AND c.advertiser_id = $advertiser_id -- when given
  AND c.kind = $kind -- when given
  AND c.platforms LIKE $platform ESCAPE '\' -- when given
  AND c.search LIKE $q ESCAPE '\' -- when given
  AND $status = CASE WHEN c.closed_at_ms > 0 THEN 'closed' WHEN c.approved_at_ms = 0 THEN 'draft' WHEN $now >= c.ends_at_ms THEN 'finished' WHEN c.paused_at_ms > 0 THEN 'paused' WHEN $now < c.starts_at_ms THEN 'upcoming' WHEN c.over_budget = 1 THEN 'over_budget' ELSE 'ongoing' END -- when given
  AND c.id < $before -- when given
ORDER BY c.id DESC

-- name: campaign.insert_terms
INSERT INTO campaign_terms (campaign_id, version, valid_from_ms, terms) VALUES ($1, $2, $3, $4)

-- name: campaign.insert_event
INSERT INTO campaign_events (campaign_id, number, at_ms, event, approved, paused, closed, starts_at_ms, ends_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: campaign.starting
SELECT id, starts_at_ms FROM campaigns
WHERE starts_at_ms >= $1 AND starts_at_ms < $2 AND approved_at_ms > 0 AND paused_at_ms = 0 AND closed_at_ms = 0 AND archived_at_ms = 0
ORDER BY starts_at_ms, id
