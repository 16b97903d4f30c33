-- name: event.campaign_told
SELECT status FROM campaigns_told WHERE campaign_id = $1

-- name: event.tell_campaign
INSERT INTO campaigns_told (campaign_id, status) VALUES ($1, $2) ON CONFLICT (campaign_id) DO UPDATE SET status = excluded.status
