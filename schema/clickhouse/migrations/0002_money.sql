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
    customer       String COMMENT 'keyed hash' CODEC(ZSTD(1)),
    code           String COMMENT 'as reported, whatever came of it' CODEC(ZSTD(1)),
    code_credited  UInt8,
    code_reason    LowCardinality(String) COMMENT 'why it was only noted',
    code_task      String COMMENT 'whose it is, empty: nobody''s' CODEC(ZSTD(1)),
    code_creator   LowCardinality(String),
    code_campaign  LowCardinality(String),
    code_platform  LowCardinality(String),
    -- The clicks that were asked, oldest first: one element of each array for one
    -- click. Of a forged one only its id is known.
    touch_ids       Array(String) CODEC(ZSTD(1)),
    touch_times     Array(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    touch_links     Array(String) CODEC(ZSTD(1)),
    touch_tasks     Array(String) CODEC(ZSTD(1)),
    touch_creators  Array(LowCardinality(String)),
    touch_campaigns Array(LowCardinality(String)),
    touch_platforms Array(LowCardinality(String)),
    touch_verdicts  Array(LowCardinality(String)) COMMENT 'empty: forged',
    touch_outcomes  Array(LowCardinality(String)) COMMENT 'credited lost ineligible',
    touch_reasons   Array(LowCardinality(String)) COMMENT 'why it was not credited',
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

-- In the order of the listing, newest last. A page of it may be few rows out of many
-- places: small granules, and a row also as one column, whole, because to read forty
-- in every place is slow. Its fields are in the order in which admin/reports reads
-- them: texts, numbers, and the reasons, of which there are any number.
CREATE TABLE IF NOT EXISTS actions
(
    id             String CODEC(ZSTD(1)),
    conversion_id  String COMMENT 'empty: of a task, a post or clicks' CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
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
    notes          String CODEC(ZSTD(1)),
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
    seq            UInt64 COMMENT 'how many entries made it what it is' CODEC(ZSTD(1)),
    whole          String MATERIALIZED toJSONString(arrayConcat(
        [id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, order_id, click_id, corrects,
            referral, model, credit, currency, state, reversal, notes, payout_id],
        arrayMap(number -> toString(number), [quantity, amount_minor, intended_minor, payout_minor, cost_minor, toInt64(terms_version), toInt64(seq)]),
        arrayMap(time -> toString(toUnixTimestamp64Milli(time)), [click_time, event_time, received_at, lock_at, pay_at, locked_at, payable_at, paid_at,
            reversed_at, created_at, updated_at]),
        CAST(reasons AS Array(String)))) CODEC(ZSTD(1)),
    INDEX actions_id id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_conversion conversion_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_order order_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_click click_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_payout payout_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_task task_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_code lower(code) TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(seq)
PARTITION BY toYear(event_time)
ORDER BY (event_time, id)
SETTINGS
    index_granularity = 256,
    min_compress_block_size = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- What made each action what it is, with the fields of the action that never
-- change. Not partitioned: an insert is whole or not there, and so the greatest
-- number says how far the copy reaches.
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
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    referral       LowCardinality(String),
    currency       LowCardinality(String),
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    orders_nano    Int64 COMMENT 'its part of an order, in billionths; 0 where it is no further action of one' CODEC(ZSTD(1)),
    whole_orders   Int64 COMMENT '1: the whole order is its' CODEC(ZSTD(1)),
    known_customer Int64 COMMENT '1: whether the customer is new is known' CODEC(ZSTD(1)),
    new_customer   Int64 COMMENT '1: the customer is new' CODEC(ZSTD(1)),
    amount_delta   Int64 CODEC(ZSTD(1)),
    intended_delta Int64 CODEC(ZSTD(1)),
    payout_delta   Int64 CODEC(ZSTD(1)),
    cost_delta     Int64 CODEC(ZSTD(1)),
    amount_minor   Int64 COMMENT 'of the action, behind the entry' CODEC(ZSTD(1)),
    payout_minor   Int64 COMMENT 'of the action, behind the entry' CODEC(ZSTD(1)),
    cost_minor     Int64 COMMENT 'of the action, behind the entry' CODEC(ZSTD(1)),
    INDEX entries_event_time event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY number
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Shoppers the tag saw on the shop's pages. A click that was seen more than once
-- is one row: read it with FINAL. Of the times it was seen, the last is kept.
CREATE TABLE IF NOT EXISTS landings
(
    click_id      String CODEC(ZSTD(1)),
    click_time    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    advertiser_id LowCardinality(String),
    campaign_id   LowCardinality(String),
    creator_id    LowCardinality(String),
    task_id       String CODEC(ZSTD(1)),
    link_id       String CODEC(ZSTD(1)),
    platform      LowCardinality(String),
    page_host     LowCardinality(String),
    seen_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version       UInt64 COMMENT 'number of the message in the ledger''s outbox' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(click_time)
ORDER BY (advertiser_id, campaign_id, click_time, click_id)
SETTINGS
    index_granularity = 8192,
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;
