-- Entries of the ledger above a number, newest first. One that was copied twice
-- may be there twice.
SELECT
    number, action_id, at, verb, from_state, to_state, advertiser_id, campaign_id, creator_id, currency,
    amount_delta, payout_delta, cost_delta
FROM entries
WHERE number > {number:UInt64}
ORDER BY number DESC
LIMIT {each:UInt32} BY advertiser_id
LIMIT {limit:UInt32}
