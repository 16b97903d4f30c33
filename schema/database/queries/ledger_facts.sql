-- What the settler asks of the catalog.

-- name: ledger.advertiser_exists
SELECT COUNT(*) FROM advertisers WHERE id = $1

-- name: ledger.advertiser
SELECT fields FROM advertisers WHERE id = $1

-- name: ledger.changed_advertisers
SELECT id FROM advertisers WHERE changed > $1

-- name: ledger.link
SELECT id, task_id, post_id, campaign_id, creator_id, advertiser_id, platform FROM links WHERE number = $1

-- name: ledger.campaign
SELECT advertiser_id, currency, timezone FROM campaigns WHERE id = $1

-- name: ledger.campaign_terms
SELECT version, valid_from_ms, terms FROM campaign_terms WHERE campaign_id = $1 ORDER BY version

-- name: ledger.campaign_states
SELECT at_ms, approved, paused, closed, starts_at_ms, ends_at_ms FROM campaign_events WHERE campaign_id = $1 ORDER BY number

-- name: ledger.participation
SELECT at_ms, fields FROM participation_events WHERE campaign_id = $1 AND creator_id = $2 ORDER BY number

-- name: ledger.changed_campaigns
SELECT id FROM campaigns WHERE changed > $1

-- name: ledger.changed_participations
SELECT campaign_id, creator_id FROM participation_events WHERE number > $1

-- name: ledger.changed_links
SELECT number FROM links WHERE changed > $1 ORDER BY changed LIMIT $2

-- name: ledger.code
SELECT id, code, task_id, campaign_id, creator_id, platform, starts_at_ms, ends_at_ms, archived_at_ms FROM codes
WHERE advertiser_id = $1 AND lower(code) = $2

-- name: ledger.creator_tasks
SELECT t.id, t.campaign_id, t.platform FROM tasks t JOIN campaigns c ON c.id = t.campaign_id
WHERE t.creator_id = $1 AND t.advertiser_id = $2 AND t.archived_at_ms = 0 AND t.status NOT IN ('rejected', 'cancelled')
  AND c.approved_at_ms > 0 AND c.closed_at_ms = 0
ORDER BY t.id DESC LIMIT 200

-- name: ledger.fx_rate
SELECT rate FROM fx_rates WHERE day = $1 AND base = $2 AND quote = $3

-- name: ledger.creator_name
SELECT fields FROM creators WHERE id = $1
