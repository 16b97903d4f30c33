SELECT DISTINCT id FROM conversions WHERE advertiser_id = ? AND customer = ? AND received_at <= ?
