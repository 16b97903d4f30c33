-- name: participation.insert
INSERT INTO participations (campaign_id, creator_id, fields, status, joined_at_ms, willing, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT DO NOTHING

-- name: participation.update
UPDATE participations SET fields = $3, status = $4, joined_at_ms = $5, willing = $6, updated_at_ms = $7
WHERE campaign_id = $1 AND creator_id = $2

-- name: participation.by_id
SELECT campaign_id, creator_id, fields, joined_at_ms, willing, created_at_ms, updated_at_ms FROM participations
WHERE campaign_id = $1 AND creator_id = $2

-- name: participation.list
SELECT campaign_id, creator_id, fields, joined_at_ms, willing, created_at_ms, updated_at_ms
FROM participations
WHERE campaign_id = $campaign_id
  AND creator_id = $scope_creator -- when given
  AND status = $status -- when given
  AND creator_id < $before -- when given
ORDER BY creator_id DESC
LIMIT $limit

-- name: participation.insert_event
INSERT INTO participation_events (campaign_id, creator_id, number, at_ms, fields) VALUES ($1, $2, $3, $4, $5)

-- name: participation.between
SELECT creator_id, status FROM participations WHERE campaign_id = $1 AND creator_id >= $2 AND creator_id <= $3
