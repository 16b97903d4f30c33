-- The customer is not named here: statements are kept.
ALTER TABLE conversions UPDATE customer = ? WHERE advertiser_id = ? AND id IN ? SETTINGS mutations_sync = 2
