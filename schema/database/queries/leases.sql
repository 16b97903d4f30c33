-- name: lease.look
SELECT holder, term, beat FROM leases WHERE name = $1

-- name: lease.take
-- Takes a lease that nobody has touched since it was looked at.
UPDATE leases SET holder = $1, term = term + 1, beat = beat + 1, at_ms = $2 WHERE name = $3 AND term = $4 AND beat = $5

-- name: lease.renew
UPDATE leases SET beat = beat + 1, at_ms = $1 WHERE name = $2 AND term = $3

-- name: lease.give_up
UPDATE leases SET holder = '', beat = beat + 1, at_ms = $1 WHERE name = $2 AND term = $3
