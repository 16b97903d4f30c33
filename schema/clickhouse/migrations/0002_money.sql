-- The ledger's conversions and actions as they are now, and every entry, copied
-- for reports from the SQL database, which stays the truth. Money is minor units
-- of currency. Empty text means none, the first moment of 1970 never.
--
-- A row that changed is inserted anew with a greater version, and one that was
-- sent twice is the same row: always read them with FINAL.
CREATE TABLE IF NOT EXISTS conversions
(
    id             String CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    event          LowCardinality(String),
    order_id       String CODEC(ZSTD(1)),
    amount_minor   Int64 CODEC(ZSTD(1)),
    currency       LowCardinality(String) COMMENT 'as reported, empty without an amount',
    source         LowCardinality(String),
    signed         UInt8,
    attributed     UInt8,
    reason         LowCardinality(String) COMMENT 'why nobody was credited',
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    refunded_minor Int64 CODEC(ZSTD(1)),
    upgraded_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    updated_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version        UInt64 COMMENT 'number of the message in the ledger''s outbox' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(event_time)
ORDER BY (advertiser_id, event_time, id)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS actions
(
    id             String CODEC(ZSTD(1)),
    conversion_id  String COMMENT 'empty: of a task, a post or clicks' CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        String CODEC(ZSTD(1)),
    link_id        String CODEC(ZSTD(1)),
    post_id        String CODEC(ZSTD(1)),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    order_id       String CODEC(ZSTD(1)),
    click_id       String CODEC(ZSTD(1)),
    corrects       String COMMENT 'of an adjustment: the action it corrects' CODEC(ZSTD(1)),
    referral       LowCardinality(String),
    model          LowCardinality(String),
    credit         LowCardinality(String) COMMENT 'exact fraction',
    quantity       Int64 CODEC(ZSTD(1)),
    currency       LowCardinality(String) COMMENT 'the campaign''s',
    amount_minor   Int64 CODEC(ZSTD(1)),
    intended_minor Int64 CODEC(ZSTD(1)),
    payout_minor   Int64 CODEC(ZSTD(1)),
    cost_minor     Int64 CODEC(ZSTD(1)),
    state          LowCardinality(String) COMMENT 'held pending locked payable paid reversed',
    reasons        Array(LowCardinality(String)),
    reversal       LowCardinality(String),
    click_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    lock_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    pay_at         DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    locked_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    payable_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    paid_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    reversed_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    payout_id      String CODEC(ZSTD(1)),
    terms_version  UInt32,
    created_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    updated_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    seq            UInt64 COMMENT 'how many entries made it what it is' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY toYear(event_time)
ORDER BY (advertiser_id, campaign_id, event_time, id)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Not partitioned: an insert is whole or not there, and so the greatest number
-- says how far the copy reaches.
CREATE TABLE IF NOT EXISTS entries
(
    number         UInt64 CODEC(Delta, ZSTD(1)),
    action_id      String CODEC(ZSTD(1)),
    seq            UInt64 COMMENT 'of the action' CODEC(ZSTD(1)),
    at             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    verb           LowCardinality(String),
    role           LowCardinality(String),
    from_state     LowCardinality(String) COMMENT 'empty: it was made',
    to_state       LowCardinality(String),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    currency       LowCardinality(String),
    amount_delta   Int64 CODEC(ZSTD(1)),
    intended_delta Int64 CODEC(ZSTD(1)),
    payout_delta   Int64 CODEC(ZSTD(1)),
    cost_delta     Int64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY number
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
