-- What the entries come to by quarter of an hour of event time: every entry takes
-- its action out of the state it was in and puts it into the state it came to.
-- Always sum(): the rows of one key are added up while parts are merged, and those
-- that come to nothing are dropped.
--
-- Made of entries by sum_actions.sql. The row of no advertiser is its position:
-- its actions are the number of the last entry. Not partitioned: an insert is whole
-- or not there, and the position with it.
CREATE TABLE IF NOT EXISTS action_sums
(
    bucket         DateTime('UTC') COMMENT 'start of the 15 minutes' CODEC(Delta, ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    referral       LowCardinality(String),
    currency       LowCardinality(String),
    state          LowCardinality(String),
    actions        Int64 CODEC(ZSTD(1)),
    orders_nano    Int64 CODEC(ZSTD(1)),
    whole_orders   Int64 CODEC(ZSTD(1)),
    known_customer Int64 CODEC(ZSTD(1)),
    new_customer   Int64 CODEC(ZSTD(1)),
    amount_minor   Int64 CODEC(ZSTD(1)),
    payout_minor   Int64 CODEC(ZSTD(1)),
    cost_minor     Int64 CODEC(ZSTD(1))
)
ENGINE = SummingMergeTree((actions, orders_nano, whole_orders, known_customer, new_customer, amount_minor, payout_minor, cost_minor))
PRIMARY KEY (advertiser_id, campaign_id, bucket)
ORDER BY (advertiser_id, campaign_id, bucket, creator_id, task_id, link_id, post_id, code, platform, event, referral, currency, state)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Actions that share an order with others, to tell orders apart that cannot be
-- added up. An action that was sent more than once is the same row.
CREATE TABLE IF NOT EXISTS shared_orders
(
    id             String CODEC(ZSTD(1)),
    conversion_id  String CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    currency       LowCardinality(String),
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    created_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (advertiser_id, campaign_id, event_time, id)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS shared_orders_mv TO shared_orders AS
SELECT
    id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, currency, event_time, created_at
FROM actions
WHERE conversion_id != '' AND credit NOT IN ('', '1') AND referral != 'adjustment';

-- Every state a post was ever in, and what it had achieved by then: the row of the
-- greatest version is the post as it is. One that was sent twice is the same row.
CREATE TABLE IF NOT EXISTS posts
(
    post_id       String CODEC(ZSTD(1)),
    advertiser_id LowCardinality(String),
    campaign_id   LowCardinality(String),
    creator_id    LowCardinality(String),
    task_id       LowCardinality(String),
    platform      LowCardinality(String),
    currency      LowCardinality(String) COMMENT 'the campaign''s',
    status        LowCardinality(String),
    archived      UInt8,
    posted_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    views         Int64 CODEC(ZSTD(1)),
    likes         Int64 CODEC(ZSTD(1)),
    shares        Int64 CODEC(ZSTD(1)),
    comments      Int64 CODEC(ZSTD(1)),
    told_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version       UInt64 COMMENT 'number of the message in the ledger''s outbox' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (advertiser_id, campaign_id, post_id, version)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
