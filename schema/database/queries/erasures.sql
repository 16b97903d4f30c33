-- Erasing persons: what stands for one is looked for outside of the turn of writing, and replaced within it.

-- name: erasure.insert
INSERT INTO erasures (id, advertiser_id, kind, state, hashes, stand_in, found, at_ms) VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7)

-- name: erasure.by_id
SELECT id, advertiser_id, kind, state, hashes, stand_in, found, problem, at_ms, done_at_ms FROM erasures WHERE id = $1

-- name: erasure.list
SELECT id, advertiser_id, kind, state, hashes, stand_in, found, problem, at_ms, done_at_ms FROM erasures
WHERE id > ''
  AND advertiser_id = $advertiser_id -- when given
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit

-- name: erasure.pending
SELECT id, advertiser_id, kind, state, hashes, stand_in, found, problem, at_ms, done_at_ms FROM erasures WHERE state = 'pending' ORDER BY id LIMIT $1

-- name: erasure.stuck
UPDATE erasures SET problem = $2 WHERE id = $1

-- name: erasure.keep_found
UPDATE erasures SET found = $2 WHERE id = $1

-- name: erasure.done
UPDATE erasures SET state = 'done', hashes = '', stand_in = '', problem = '', done_at_ms = $2 WHERE id = $1

-- name: erasure.clicks_found
UPDATE erasures SET clicks_found = 1 WHERE id = $1

-- name: erasure.of_node
SELECT id, advertiser_id, kind, state, hashes, stand_in, found, problem, at_ms, done_at_ms FROM erasures
WHERE state = 'pending' AND clicks_found = 1 AND id NOT IN (SELECT erasure_id FROM erasure_nodes WHERE node_id = $1) ORDER BY id LIMIT $2

-- name: erasure.node_did
INSERT INTO erasure_nodes (erasure_id, node_id, clicks) VALUES ($1, $2, $3)
ON CONFLICT (erasure_id, node_id) DO UPDATE SET clicks = erasure_nodes.clicks + excluded.clicks

-- name: erasure.nodes_left
SELECT id, machine FROM nodes WHERE quarantined > 0 AND id <> $1 AND id NOT IN (SELECT node_id FROM erasure_nodes WHERE erasure_id = $2) ORDER BY machine, id

-- name: erasure.rewritten
SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM erasure_nodes WHERE erasure_id = $1

-- name: erasure.forget_nodes
DELETE FROM erasure_nodes WHERE erasure_id = $1

-- name: erasure.mark
INSERT INTO erased_customers (mark, at_ms) VALUES ($1, $2) ON CONFLICT (mark) DO UPDATE SET at_ms = excluded.at_ms

-- name: erasure.keep_click
INSERT INTO erasure_clicks (erasure_id, click_id) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: erasure.clicks
SELECT click_id FROM erasure_clicks WHERE erasure_id = $1 ORDER BY click_id

-- name: erasure.forget_clicks
DELETE FROM erasure_clicks WHERE erasure_id = $1

-- name: erasure.customer_clicks
SELECT click_id FROM customer_touches WHERE advertiser_id = $1 AND customer = $2

-- name: erasure.conversions
SELECT number FROM conversions WHERE advertiser_id = $1 AND number > $2 AND received_at_ms <= $3 AND (customer = $4 OR fields LIKE $5)

-- name: erasure.conversion
SELECT order_id, fields FROM conversions WHERE number = $1

-- name: erasure.rename_conversion
UPDATE conversions SET customer = REPLACE(customer, $2, $3), fields = $4 WHERE number = $1

-- name: erasure.count_actions
SELECT COUNT(*) FROM actions WHERE order_id = $1 AND advertiser_id || '' = $2 AND customer = $3

-- name: erasure.rename_actions
UPDATE actions SET customer = $4 WHERE order_id = $1 AND advertiser_id || '' = $2 AND customer = $3

-- name: erasure.count_customers
SELECT COUNT(*) FROM customers WHERE advertiser_id = $1 AND customer = $2

-- name: erasure.rename_customers
UPDATE customers SET customer = $3 WHERE advertiser_id = $1 AND customer = $2

-- name: erasure.rename_touches
UPDATE customer_touches SET customer = $3 WHERE advertiser_id = $1 AND customer = $2

-- name: erasure.count_caps
SELECT COUNT(*) FROM cap_tallies WHERE campaign_id IN (SELECT id FROM campaigns WHERE advertiser_id = $1) AND scope = 'customer' AND scope_id = $2

-- name: erasure.rename_caps
UPDATE cap_tallies SET scope_id = $3
WHERE campaign_id IN (SELECT id FROM campaigns WHERE advertiser_id = $1) AND scope = 'customer' AND scope_id = $2

-- name: erasure.quarantine
SELECT number FROM quarantine WHERE advertiser_id = $1 AND at_ms <= $2 AND (report LIKE $3 OR raw LIKE $3 OR reason LIKE $3)

-- name: erasure.quarantined
SELECT report, raw, reason FROM quarantine WHERE number = $1

-- name: erasure.rename_quarantine
UPDATE quarantine SET report = $2, raw = $3, reason = $4 WHERE number = $1

-- name: erasure.outbox
SELECT number FROM outbox WHERE payload LIKE $1

-- name: erasure.rename_outbox
UPDATE outbox SET payload = REPLACE(payload, $2, $3) WHERE number = $1

-- name: erasure.webhook_deliveries
SELECT number FROM webhook_deliveries WHERE body LIKE $1 OR answer LIKE $1

-- name: erasure.rename_webhook_deliveries
UPDATE webhook_deliveries SET body = REPLACE(body, $2, $3), answer = REPLACE(answer, $2, $3) WHERE number = $1

-- name: erasure.notifications
SELECT number FROM notifications WHERE title LIKE $1 OR content LIKE $1 OR subject LIKE $1

-- name: erasure.rename_notifications
UPDATE notifications SET title = REPLACE(title, $2, $3), content = REPLACE(content, $2, $3), subject = REPLACE(subject, $2, $3) WHERE number = $1

-- name: erasure.mails
SELECT number FROM mails WHERE subject LIKE $1 OR plain LIKE $1 OR html LIKE $1

-- name: erasure.rename_mails
UPDATE mails SET subject = REPLACE(subject, $2, $3), plain = REPLACE(plain, $2, $3), html = REPLACE(html, $2, $3) WHERE number = $1

-- name: erasure.inquiries
SELECT number FROM inquiries WHERE fields LIKE $1 OR reason LIKE $1

-- name: erasure.rename_inquiries
UPDATE inquiries SET fields = REPLACE(fields, $2, $3), reason = REPLACE(reason, $2, $3) WHERE number = $1

-- name: erasure.count_idempotency
SELECT COUNT(*) FROM idempotency WHERE body LIKE $1

-- name: erasure.rename_idempotency
UPDATE idempotency SET body = REPLACE(body, $2, $3) WHERE body LIKE $1

-- name: ledger.erased_through
SELECT COALESCE(MAX(at_ms), 0) FROM erased_customers

-- name: ledger.erased_customer
SELECT at_ms FROM erased_customers WHERE mark = $1
