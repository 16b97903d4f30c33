-- name: audit.insert
INSERT INTO audit_log (number, at_ms, key_id, role, verb, thing, thing_id, advertiser_id, fields)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: audit.list
SELECT number, at_ms, key_id, role, verb, thing, thing_id, fields
FROM audit_log
WHERE number > 0
  AND advertiser_id = $scope_advertiser -- when given
  AND key_id = $key_id -- when given
  AND verb = $verb -- when given
  AND thing = $thing -- when given
  AND thing_id = $thing_id -- when given
  AND at_ms >= $from_ms -- when given
  AND at_ms < $to_ms -- when given
  AND number < $before -- when given
ORDER BY number DESC
LIMIT $limit
