-- name: terms_template.insert
INSERT INTO terms_templates (id, fields, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $3)

-- name: terms_template.update
UPDATE terms_templates SET fields = $2, updated_at_ms = $3 WHERE id = $1

-- name: terms_template.archive
UPDATE terms_templates SET archived_at_ms = $2, updated_at_ms = $2 WHERE id = $1

-- name: terms_template.by_id
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields FROM terms_templates WHERE id = $1

-- name: terms_template.list
SELECT id, created_at_ms, updated_at_ms, archived_at_ms, fields
FROM terms_templates
WHERE archived_at_ms = 0
  AND id < $before -- when given
ORDER BY id DESC
LIMIT $limit
