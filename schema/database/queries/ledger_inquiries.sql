-- name: ledger.insert_inquiry
INSERT INTO inquiries (number, id, advertiser_id, creator_id, campaign_id, order_id, fields, state, reason, action_id, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', '', '', $8, $8)

-- name: ledger.close_inquiry
UPDATE inquiries SET state = $2, reason = $3, action_id = $4, updated_at_ms = $5 WHERE id = $1

-- name: ledger.inquiry
SELECT number, id, advertiser_id, creator_id, campaign_id, fields, state, reason, action_id, created_at_ms, updated_at_ms FROM inquiries WHERE id = $1

-- name: ledger.open_inquiry_of
SELECT id FROM inquiries WHERE creator_id = $1 AND advertiser_id = $2 AND order_id = $3 AND state = 'open'

-- name: ledger.inquiry_list
SELECT number, id, advertiser_id, creator_id, campaign_id, fields, state, reason, action_id, created_at_ms, updated_at_ms FROM inquiries
WHERE number > 0
  AND advertiser_id = $advertiser_id -- when given
  AND creator_id = $creator_id -- when given
  AND campaign_id = $campaign_id -- when given
  AND order_id = $order_id -- when given
  AND state = $state -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit

-- name: ledger.attribute_conversion
UPDATE conversions SET attributed = 1, reason = '', updated_at_ms = $2 WHERE number = $1
